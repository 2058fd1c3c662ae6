"""Prometheus' own tool takes the alert rules and finds that they do what they say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MONITORING = Path(__file__).parents[2] / "deploy/monitoring"


@pytest.mark.parametrize(
    "arguments", [("check", "rules", "alerts.yaml"), ("test", "rules", "alerts.test.yaml")]
)
def test_prometheus_own_tool_takes_the_alerts_and_finds_them_right(
    arguments: tuple[str, ...],
) -> None:
    tool = shutil.which("promtool")
    assert tool, "promtool is missing: apt-get install prometheus"

    done = subprocess.run(
        [tool, *arguments], cwd=MONITORING, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
