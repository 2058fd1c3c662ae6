# One image for every role. How to build it, and what the arguments mean: docs/how-to/build-the-image.md
ARG BASE=docker.io/library/python:3.12-slim
ARG UI_BASE=docker.io/library/node:22-slim
ARG UI=screens-built

# ---------------------------------------------------------------- the screens: built, or taken as they are
FROM ${UI_BASE} AS screens-built
WORKDIR /ui
COPY ui/package.json ui/package-lock.json ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci --no-audit --no-fund --loglevel=error
COPY ui ./
RUN npm run --silent build

FROM scratch AS screens-taken
COPY src/copilot/ui_dist /ui/out

FROM ${UI} AS screens

# ---------------------------------------------------------------- wheels, where somebody gives us a folder
# Empty unless `--build-context wheels=FOLDER` takes its place; then nothing is asked of an index.
FROM scratch AS wheels

# ---------------------------------------------------------------- what is installed, and what of it is kept
FROM ${BASE} AS parts
WORKDIR /build
COPY requirements requirements
RUN --mount=type=bind,from=wheels,target=/wheels --mount=type=secret,id=pip,target=/etc/pip.conf \
    if ls /wheels/*.whl >/dev/null 2>&1; then export PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels; fi; \
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore; \
    python3 -m venv tools && python3 -m venv --without-pip /opt/copilot && \
    tools/bin/pip install --quiet --no-compile --require-hashes -r requirements/build.lock && \
    tools/bin/pip --python /opt/copilot/bin/python install --quiet --no-compile --require-hashes -r requirements/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY docs/runbooks docs/runbooks
RUN rm -rf src/copilot/ui_dist
COPY --from=screens /ui/out src/copilot/ui_dist
RUN tools/bin/python -m hatchling build -t wheel && \
    tools/bin/pip --python /opt/copilot/bin/python install --quiet --no-compile --no-index --no-deps dist/*.whl
COPY tools/image/assemble.py tools/image/bill.py tools/image/
COPY ui/package-lock.json ui/
ARG SOURCE_DATE_EPOCH=0
RUN /opt/copilot/bin/python tools/image/assemble.py --environment /opt/copilot --to /image

# ---------------------------------------------------------------- the bill of materials, for `--target bill --output ...`
FROM scratch AS bill
COPY --from=parts /image/product/usr/share/incident-copilot/ /

# ---------------------------------------------------------------- the image: no shell, no compiler, no package manager
FROM scratch
COPY --from=parts /image/runtime /
COPY --from=parts /image/product /
COPY --from=parts --chown=10001:10001 /image/data /data
ENV PATH=/opt/copilot/bin LANG=C.UTF-8 HOME=/data COPILOT_DATA=/data COPILOT_HOST=0.0.0.0 \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# By number: Kubernetes cannot tell whether a name is root. Any other user does, too, that may write to /data.
USER 10001:10001
ENTRYPOINT ["incident-copilot"]
ARG VERSION=""
ARG REVISION=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="incident-copilot" \
      org.opencontainers.image.description="An incident co-pilot for Kubernetes: every role in one image" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
