"""When the fake kubelet lets a container fail."""

from __future__ import annotations

import pytest

from lab.fake_kubelet import Fate, fate_of


@pytest.mark.parametrize(
    ("annotations", "limit", "fate"),
    [
        pytest.param({"lab/needs-memory": "48Mi"}, "32Mi", Fate("OOMKilled", 137), id="too little"),
        pytest.param({"lab/needs-memory": "48Mi"}, "48Mi", None, id="enough"),
        pytest.param({"lab/needs-memory": "1Gi"}, "1000Mi", Fate("OOMKilled", 137), id="units"),
        pytest.param({"lab/needs-memory": "48Mi"}, None, None, id="no limit, no kill"),
        pytest.param({"lab/exits": "1"}, None, Fate("Error", 1), id="an error"),
        pytest.param({"lab/exits": "0"}, None, Fate("Completed", 0), id="an end"),
        pytest.param({}, "1Mi", None, id="nothing said"),
    ],
)
def test_a_container_fails_as_its_annotations_say(
    annotations: dict[str, str], limit: str | None, fate: Fate | None
) -> None:
    container = {"name": "app", "resources": {"limits": {"memory": limit}} if limit else {}}

    assert fate_of({"metadata": {"annotations": annotations}}, container) == fate
