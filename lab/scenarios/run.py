"""One run: scenarios side by side, each in a namespace of its own, and a co-pilot that watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.scenarios.api import Api
from lab.scenarios.copilot import Copilot, Seen
from lab.scenarios.expectation import Scenario
from lab.scenarios.score import (
    Outcome,
    is_cause_right,
    is_object_right,
    said_wrongly,
    told,
)
from lab.scenarios.stage import Signs, Stage, StepFailed
from lab.scenarios.table import line

QUIET_S = 120
"""How long a quiet scene must stay unsaid."""
POLL_S = 0.5
ROOM_S = 1.5
PROPOSAL_S = 12
"""From a right verdict to a proposal."""
SECOND_S = 90
"""From a fix that did not hold to another verdict."""
STEADY_S = 4
"""So long must what was healed stay ready."""
ENDED = frozenset({"verified", "reverted", "failed", "expired", "superseded", "rejected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    kubeconfig: str | None
    context: str | None
    data: Path
    at_once: int
    keep: bool
    heal: bool


class Run:
    """What the scenarios of one run share."""

    def __init__(self, stage: Stage, signs: Signs, copilot: Copilot, options: Options) -> None:
        self._stage = stage
        self._signs = signs
        self._copilot = copilot
        self._options = options
        self._room = asyncio.Semaphore(options.at_once)

    async def play(self, scenario: Scenario, *, is_played: bool = False) -> Outcome:
        """From its first step to the healed end, or for as long as it must stay quiet."""
        outcome = Outcome(name=scenario.name, group=scenario.group, fix=scenario.fix)
        async with self._room:
            print(f"    {scenario.namespace}  {scenario.name} ...", flush=True)
            try:
                if scenario.is_quiet:
                    await self._quiet(scenario, outcome, is_played)
                else:
                    await self._fault(scenario, outcome)
            except StepFailed as failed:
                outcome.problem = str(failed)
            await self._keep_rooms(scenario, outcome)
            print(f"    {scenario.namespace}  {line(outcome)}", flush=True)
            if not self._options.keep:
                await self._stage.clear(scenario)
        return outcome

    async def _quiet(self, scenario: Scenario, outcome: Outcome, is_played: bool) -> None:
        if not is_played:
            await self._stage.play(scenario)
        await asyncio.sleep(QUIET_S)
        if not await self._stage.are_ready(scenario):
            raise StepFailed("the scene is not well: it would be right to say so")

    async def _fault(self, scenario: Scenario, outcome: Outcome) -> None:
        broke: list[float] = []
        await self._stage.play(scenario, lambda: broke.append(time.time()))
        sign, outcome.sign = await self._first_sign(scenario, broke[0])
        outcome.sign_s = sign - broke[0]
        for id in self._copilot.of(scenario.namespace):
            early = await self._copilot.read(id)
            if early.opened < broke[0]:
                outcome.too_early.append(f"{early.at}: {early.title}")
        seen = await self._verdict(scenario, outcome, sign)
        if seen is None:
            return
        seen = await self._with_proposal(seen)
        if seen.first is not None:
            outcome.verdict = told(seen.first)
            outcome.object_right = is_object_right(scenario, seen.first, seen.at)
            outcome.cause_right = is_cause_right(scenario, seen.first)
            outcome.never_said = said_wrongly(scenario, [seen.first])
        if seen.proposal is not None:
            outcome.proposal = f"{seen.proposal['kind']} {seen.proposal['target']['name']}"
            if self._options.heal:
                await self._heal(scenario, outcome, seen, seen.proposal)

    async def _first_sign(self, scenario: Scenario, broke: float) -> tuple[float, str]:
        """When it first showed. What never shows in the API counts from when people would say so."""
        given = scenario.timeouts.quiet_sign_s
        if given is not None:
            await asyncio.sleep(max(0.0, broke + given - time.time()))
            return broke + given, f"nothing for {given:.0f} s"
        while time.time() < broke + scenario.timeouts.sign_s:
            found = self._signs.of(scenario.namespace)
            if found is not None:
                return found
            await asyncio.sleep(POLL_S)
        raise StepFailed(f"no sign of the fault within {scenario.timeouts.sign_s:.0f} s")

    async def _verdict(self, scenario: Scenario, outcome: Outcome, sign: float) -> Seen | None:
        """The incident whose first hypothesis is right as soon as one is; after a while the one
        that comes nearest. None where nothing was detected."""
        until = max(sign, time.time()) + scenario.timeouts.verdict_s
        was_wrong: set[int] = set()
        rooms: list[Seen] = []
        while time.time() < until:
            await asyncio.sleep(ROOM_S)
            rooms = [await self._copilot.read(id) for id in self._copilot.of(scenario.namespace)]
            if rooms:
                outcome.detect_s = max(0.0, min(seen.opened for seen in rooms) - sign)
            for seen in rooms:
                if _nearness(scenario, seen) == RIGHT:
                    # Right from its first finding on, else since a moment ago.
                    at = time.time() if seen.id in was_wrong else seen.found or time.time()
                    outcome.verdict_s = max(0.0, at - sign)
                    return seen
                if seen.first is not None:
                    was_wrong.add(seen.id)
                    outcome.first_verdict = outcome.first_verdict or told(seen.first)
        return max(rooms, key=lambda seen: _nearness(scenario, seen), default=None)

    async def _with_proposal(self, seen: Seen) -> Seen:
        """The incident again, once it has a proposal or has had time for one."""
        until = time.time() + PROPOSAL_S
        while seen.proposal is None and time.time() < until:
            await asyncio.sleep(ROOM_S)
            seen = await self._copilot.read(seen.id)
        return seen

    async def _heal(
        self, scenario: Scenario, outcome: Outcome, seen: Seen, proposal: dict[str, object]
    ) -> None:
        began = time.time()
        refused = await self._copilot.approve(proposal)
        if refused:
            outcome.verification = f"approval refused: {refused}"
            return
        while time.time() < began + scenario.timeouts.heal_s:
            await asyncio.sleep(ROOM_S)
            now = await self._copilot.read(seen.id)
            status = next(p["status"] for p in now.proposals if p["id"] == proposal["id"])
            outcome.verification = status
            if status in ENDED:
                break
        if outcome.verification == "verified":
            outcome.heal_s = time.time() - began
            outcome.healed = await self._stay_ready(scenario)
            outcome.verification = "" if outcome.healed else "verified, not ready"
        elif outcome.verification in ENDED:
            outcome.verdict_after = await self._second_verdict(seen.id, outcome.verdict)

    async def _second_verdict(self, id: int, before: str) -> str:
        """What it says after its fix did not hold, empty where that stays the same."""
        until = time.time() + SECOND_S
        while time.time() < until:
            await asyncio.sleep(ROOM_S)
            seen = await self._copilot.read(id)
            if seen.first is not None and told(seen.first) != before:
                return told(seen.first)
        return ""

    async def _stay_ready(self, scenario: Scenario) -> bool:
        """Ready within a moment, and still a while later."""
        for _ in range(10):
            if await self._stage.are_ready(scenario):
                await asyncio.sleep(STEADY_S)
                return await self._stage.are_ready(scenario)
            await asyncio.sleep(1)
        return False

    async def _keep_rooms(self, scenario: Scenario, outcome: Outcome) -> None:
        """The rooms as they are before all is taken away, for who looks into a miss."""
        await self._copilot.look()
        seen = [await self._copilot.read(id) for id in self._copilot.of(scenario.namespace)]
        outcome.incidents = [f"{one.at}: {one.title}" for one in seen]
        outcome.room = [asdict(one) for one in seen]


RIGHT = 3


def _nearness(scenario: Scenario, seen: Seen) -> int:
    """How near the first hypothesis comes: `RIGHT`, cause only, object only, neither."""
    if seen.first is None:
        return 0
    is_object = is_object_right(scenario, seen.first, seen.at)
    return 2 * is_cause_right(scenario, seen.first) + is_object


async def run(scenarios: Sequence[Scenario], options: Options) -> list[Outcome]:
    """All of them; in order."""
    async with _stage(options) as (stage, signs):
        await _clear(stage, scenarios)
        before = [one for one in scenarios if one.before]
        print(f"==> {len(before)} scenes before the co-pilot starts", flush=True)
        failed = await _play_before(stage, before)
        copilot = await Copilot.start(options.data, options.kubeconfig, options.context)
        looking = asyncio.create_task(_look_on(copilot))
        try:
            print(f"==> {len(scenarios)} scenarios, {options.at_once} at once", flush=True)
            going = Run(stage, signs, copilot, options)
            ordered = sorted(scenarios, key=lambda one: (not one.before, -one.timeouts.verdict_s))
            tasks = {
                one.name: asyncio.create_task(going.play(one, is_played=one.before))
                for one in ordered
            }
            outcomes = {name: await task for name, task in tasks.items()}
            for name, problem in failed.items():
                outcomes[name].problem = problem
        finally:
            looking.cancel()
            await copilot.stop()
        return [outcomes[one.name] for one in scenarios]


@asynccontextmanager
async def _stage(options: Options) -> AsyncIterator[tuple[Stage, Signs]]:
    api = await Api.open(options.kubeconfig, options.context)
    signs = Signs(api)
    watching = asyncio.create_task(signs.run())
    try:
        yield Stage(api, signs), signs
    finally:
        watching.cancel()
        await api.close()


async def _clear(stage: Stage, scenarios: Sequence[Scenario]) -> None:
    """What an earlier run left, and until it is gone."""
    for one in scenarios:
        await stage.clear(one)
    await stage.gone({one.namespace for one in scenarios})


async def _play_before(stage: Stage, scenarios: Sequence[Scenario]) -> dict[str, str]:
    async def play(one: Scenario) -> tuple[str, str]:
        try:
            await stage.play(one)
        except StepFailed as failed:
            return one.name, str(failed)
        return one.name, ""

    played = await asyncio.gather(*(play(one) for one in scenarios))
    return {name: problem for name, problem in played if problem}


async def _look_on(copilot: Copilot) -> None:
    while True:
        await copilot.look()
        await asyncio.sleep(POLL_S)
