"""Which containers of a pod stand out."""

import msgspec
import pytest

from copilot.causes.failures import failing_containers
from copilot.domain.objects import ContainerState
from tests.builders_objects import a_container, a_pod, a_status, ago, running, terminated, waiting

DONE = terminated(started=ago(60), finished=ago(50), reason="Completed", exit_code=0)


@pytest.mark.parametrize(
    ("state", "ready", "names"),
    [
        pytest.param(running(ago(60)), False, ("app", "wait"), id="runs and lets nobody past"),
        pytest.param(running(ago(60)), True, ("app",), id="a sidecar, up and ready"),
        pytest.param(DONE, True, ("app",), id="done"),
        pytest.param(waiting("PodInitializing"), False, ("app",), id="not its turn yet"),
    ],
)
def test_an_init_container_that_runs_on_stands_out(
    state: ContainerState, ready: bool, names: tuple[str, ...]
) -> None:
    pod = a_pod(
        "api",
        statuses=[a_status(state=waiting("PodInitializing"), ready=False)],
        init_statuses=[a_status("wait", state=state, ready=ready)],
    )
    spec = msgspec.structs.replace(pod.spec, init_containers=[a_container("wait")])

    assert failing_containers(msgspec.structs.replace(pod, spec=spec)) == names
