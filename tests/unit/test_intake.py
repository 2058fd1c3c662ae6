"""What of all that came in is looked at."""

from copilot.intake import activity_of
from tests.builders_detect import an_activity
from tests.builders_objects import a_pod


def test_the_log_of_a_pod_of_the_same_name_elsewhere_is_another_pods() -> None:
    here = a_pod("db-0", namespace="shop", owner_kind=None)
    there = a_pod("db-0", namespace="staging", owner_kind=None)
    logged = an_activity(pod="db-0")

    assert activity_of([here], [logged]) == (logged,)
    assert activity_of([there], [logged]) == ()
