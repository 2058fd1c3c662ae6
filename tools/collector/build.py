"""Builds the OpenTelemetry Collector from Go modules, once, beside the lab's programs; prints where.

Only what `otel/collector.yaml` names is in it. 38 MB.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.instance import cache, locked

HERE = Path(__file__).parent
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.165.0"
_GO = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}


def built() -> Path:
    """The program; built where it is not there yet."""
    plan = HERE / "builder.yaml"
    digest = hashlib.sha256(plan.read_bytes() + BUILDER.encode()).hexdigest()[:12]
    path = cache() / "bin" / digest / "otelcol"
    with locked(cache() / "otelcol.lock"):
        if not path.exists():
            _build(plan, path)
    return path


def _build(plan: Path, path: Path) -> None:
    if not shutil.which("go"):
        sys.exit("Go 1.26 is missing: it builds the OpenTelemetry Collector for this test")
    print("==> the OpenTelemetry Collector, from Go modules (some minutes)", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "go.mod").write_text("module copilot/collector\n\ngo 1.26.0\n")
        shutil.copy(plan, folder)
        for command in (
            ["go", "get", "-tool", BUILDER],
            ["go", "tool", "builder", "--config", "builder.yaml", "--skip-strict-versioning"],
        ):
            subprocess.run(
                command, cwd=folder, env={**os.environ, **_GO}, stdout=sys.stderr, check=True
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(f"{folder}/out/otelcol", path)


if __name__ == "__main__":
    print(built())
