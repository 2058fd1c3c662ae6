"""What the lock file brings into the image is what some role uses; the image itself is looked at by
tests/deploy/test_image.py."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.image.assemble import DISTRIBUTIONS_LEFT_OUT
from tools.image.used import DATA

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(60)  # everything is imported


def locked() -> set[str]:
    lock = (ROOT / "requirements/runtime.lock").read_text()
    return set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))


def unused(*without: str) -> set[str]:
    command = [sys.executable, str(ROOT / "tools/image/used.py"), *without]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return set(json.loads(done.stdout)["unused"])


def test_all_that_is_shipped_is_imported_and_nothing_left_out_is_missed() -> None:
    not_imported = unused(*DISTRIBUTIONS_LEFT_OUT) & locked()

    assert not_imported == {*DISTRIBUTIONS_LEFT_OUT}, "see tools/image/used.py"


def test_what_is_left_out_or_only_read_is_locked() -> None:
    assert {*DISTRIBUTIONS_LEFT_OUT, *DATA} <= locked()
