"""What says that every statement was seen sees every statement."""

from pathlib import Path

from tools.sqlcheck.coverage import places, places_in, unseen

SOURCE = Path(__file__).parents[2] / "src"
CODE = """
async def first(self):
    rows = await self._db.fetch_all(
        "SELECT 1",
        (),
    )
    await self._db.execute("DELETE FROM jobs")
"""


def test_a_call_that_sent_nothing_is_named() -> None:
    found = list(places_in("copilot/store/x.py", CODE))

    assert [str(place) for place in unseen(found, ["copilot/store/x.py:3"])] == [
        "copilot/store/x.py:7"
    ]
    assert unseen(found, ["copilot/store/x.py:5", "copilot/store/x.py:7"]) == []


def test_every_repository_is_looked_at() -> None:
    modules = {place.module.rpartition("/")[2] for place in places(SOURCE)}

    assert {"incidents.py", "lines.py", "retention.py", "names.py", "copying.py"} <= modules
    assert "sqlite.py" not in modules
