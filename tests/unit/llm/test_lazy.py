"""Who has no model does not pay for its client."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("pydantic_ai", "openai", "httpx2")
SLOW = ("asyncio", "pydantic", "msgspec", "fastapi", "rich", "sqlite3", "kubernetes")
EMBEDS = ("onnxruntime", "tokenizers", "numpy")


def imported_by(statement: str, heavy: tuple[str, ...] = HEAVY + EMBEDS) -> set[str]:
    """Which of the heavy packages a fresh interpreter has loaded afterwards."""
    program = f"import sys\n{statement}\nprint(*(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_command_line_starts_with_nothing_heavy() -> None:
    assert imported_by("import copilot.cli", HEAVY + EMBEDS + SLOW) == set()


def test_without_a_model_nothing_of_its_client_is_imported() -> None:
    """Lines are columns, so what runs has numpy."""
    assert imported_by("import copilot.wiring, copilot.roles.app") == {"numpy"}


def test_with_a_model_its_client_is_imported_without_a_warning() -> None:
    assert imported_by("import copilot.llm") >= set(HEAVY)


def test_an_embedder_that_has_no_text_yet_is_not_read() -> None:
    assert imported_by("from copilot.embed.local import LocalEmbedder, missing; missing()") == set()
