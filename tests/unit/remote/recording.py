"""Records what crosses between roles in this release, for `test_wire.py`:

    python -m tests.unit.remote.recording

Once for each release, when it is made: what is recorded is what the next one must understand.
"""

from __future__ import annotations

import asyncio
import gzip
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from copilot.detect.rules import RULES
from copilot.domain.action import ChaosMemory
from copilot.domain.incident import IncidentId
from copilot.domain.objects import ObjectRef
from copilot.flow import Flow
from copilot.journal import Journal
from copilot.local import LocalAgents
from copilot.ports import Kind
from copilot.remediate.policy import Policy
from copilot.remote import Asker, RemoteAgents
from copilot.remote.asking import Question
from copilot.wiring import sync_runbooks
from tests.agents_elsewhere import an_asker, elsewhere
from tests.builders_notify import a_message
from tests.builders_remediate import a_namespace
from tests.builders_store import a_store
from tests.fakes_cluster import FakeCluster
from tests.killed import a_tight_deployment, sees_it_killed, soon_after

FOLDER = Path(__file__).parents[2] / "fixtures" / "wire"


class Recorder(Asker):
    """Keeps each question and its answer as `<path>.question.json.gz` and `.answer.json.gz`."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def ask(self, question: Question) -> bytes:
        answer = await self._asker.ask(question)
        name = urlsplit(question.url).path.strip("/")
        for part, body in (("question", question.body), ("answer", answer)):
            path = FOLDER / f"{name}.{part}.json.gz"
            path.write_bytes(gzip.compress(body, mtime=0))
        return answer


async def main(folder: Path) -> None:
    FOLDER.mkdir(exist_ok=True)
    clock = soon_after()
    async with a_store("sqlite-file", folder) as store:
        await sync_runbooks(store, clock)
        cluster = FakeCluster(clock)
        deployment = a_tight_deployment()
        cluster.put(Kind.DEPLOYMENT, deployment)
        cluster.put("Namespace", a_namespace("demo", {"incident-copilot.io/demo": "true"}))
        local = LocalAgents(
            store=store, clock=clock, cluster=cluster, policy=Policy(), model=None, notifiers={}
        )
        async with elsewhere(local, clock) as (there, _):
            asker = an_asker()
            agents = RemoteAgents(urls=there.urls(), asker=Recorder(asker), local=local)
            flow = Flow(
                store=store,
                agents=agents,
                clock=clock,
                journal=Journal(cluster="home"),
                rules=RULES,
            )
            await sees_it_killed(flow, clock)
            await flow.investigate(IncidentId(1))
            await flow.consult(IncidentId(1))
            async with store.view() as view:
                (proposal,) = await view.remediation.of_incident(IncidentId(1))
            await agents.recheck(proposal)
            meta = deployment.metadata
            target = ObjectRef(kind=Kind.DEPLOYMENT, namespace=meta.namespace, name=meta.name)
            await agents.chaos(ChaosMemory(target=target, container="app", limit="16Mi"))
            await agents.notify(a_message())
            await asker.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(main(Path(made)))
