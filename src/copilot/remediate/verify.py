"""Whether a change holds: the rollout is complete, the new containers outlive the old ones, and
the rule that opened the incident is silent. A back-off that merely sleeps is not quiet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from copilot.domain.action import SetMemory
from copilot.domain.alert import Check, Seen
from copilot.domain.errors import Busy, NotFound, Refused, Unavailable
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Applied, Claim, Proposal, Verification
from copilot.domain.quantity import parse_bytes
from copilot.ports import Clock, Cluster
from copilot.remediate.marks import annotation, field_manager_of, key_in, mark_of
from copilot.remediate.plan import holds
from copilot.remediate.rollout import (
    Sight,
    death_of,
    is_new,
    look,
    missing_for_rollout,
    patched_us,
    running_now,
)
from copilot.remediate.tree import containers_of, decode, text_at

POLL_S = 1.0
QUIET_S = 15.0
LIVES = 2.0
LEAK_MARGIN = 1.25
ROLLOUT_S = 30.0
"""Kept of the window for the rollout itself."""

Progress = Callable[[str], Awaitable[None]]
"""Told what people would want to know, not every poll."""

Enrich = Callable[[Seen], Awaitable[Seen]]
"""Adds what a rule looks at beside the pods: kernel kills, counts of templates, ... of late."""


async def verify(
    claim: Claim,
    applied: Applied,
    *,
    check: Check,
    cluster: Cluster,
    clock: Clock,
    cluster_name: str,
    ttf_us: int,
    progress: Progress,
    enrich: Enrich | None = None,
) -> Verification:
    """What came of the change: held, or not and why, with figures. It changes nothing.

    `check` is the rule that opened the incident, `ttf_us` the longest life a container had before
    it failed (0 for unknown). Ends at the first failure of a new container, after a quiet stretch,
    or with the proposal's window; outages of the API are survived until then. Called again after a
    crash it starts a new stretch.
    """
    watch = _Watch(
        claim=claim, applied=applied, ttf_us=ttf_us, cluster_name=cluster_name, check=check
    )
    window_us = claim.proposal.window_s * 1_000_000
    room_us = round((watch.quiet_s + 3 * POLL_S) * 1_000_000)
    until_us = max(applied.at_us + window_us, clock.now_us() + room_us)
    while True:
        await _poll(watch, cluster, clock.now_us(), enrich)
        await watch.tell(progress)
        if watch.is_over:
            return watch.verification(clock.now_us())
        if clock.now_us() >= until_us:
            waited_s = (clock.now_us() - applied.at_us) / 1_000_000
            watch.fail(f"not proven within {waited_s:.0f} s: {watch.state}")
            return watch.verification(clock.now_us())
        await clock.sleep(POLL_S)


def lives_to_outlive(proposal: Proposal) -> float:
    """How many times the longest earlier life the new containers must live: twice.

    A program that leaks lives as much longer as it was given more memory, and is no better for it:
    then it is by a quarter more than that.
    """
    action = proposal.action
    if not isinstance(action, SetMemory) or proposal.rollback is None:
        return LIVES
    for container in containers_of(decode(proposal.rollback)):
        before = text_at(container, "resources", "limits", "memory")
        if container.get("name") == action.container and before is not None:
            return max(LIVES, LEAK_MARGIN * parse_bytes(action.limit) / parse_bytes(before))
    return LIVES


async def _poll(watch: _Watch, cluster: Cluster, now_us: int, enrich: Enrich | None) -> None:
    target = watch.claim.proposal.action.target
    try:
        sight = await look(target, cluster)
        if watch.failed_by(sight):
            return
        seen = watch.seen(sight, now_us)
        watch.judge(sight, await enrich(seen) if enrich else seen, now_us)
    except NotFound:
        watch.fail(f"{target} was deleted")
    except (Unavailable, Busy, Refused) as error:
        watch.missed += 1
        watch.state = f"the API server does not answer ({error.message[:120]})"


@dataclass(slots=True, kw_only=True)
class _Watch:
    """What was observed so far."""

    claim: Claim
    applied: Applied
    ttf_us: int
    cluster_name: str
    check: Check
    state: str = "nothing seen yet"
    """What is missing for it to hold, or what was found."""
    held: bool | None = None
    polls: int = 0
    missed: int = 0
    noisy: int = 0
    n_pods: int = 0
    quiet_since_us: int | None = None
    ran_s: float = 0.0
    lives: dict[tuple[str, str], str] = field(default_factory=dict)
    since_us: dict[tuple[str, str], int] = field(default_factory=dict)
    """When each container's present life was first seen, by our clock."""
    told: str = ""

    @property
    def quiet_s(self) -> float:
        """How long the new containers must run: `proof_s`, and no longer than the window leaves
        room for."""
        return min(self.proof_s, max(QUIET_S, self.claim.proposal.window_s - ROLLOUT_S))

    @property
    def proof_s(self) -> float:
        """What would prove it: twice the longest earlier life or more, 15 s at least."""
        return max(QUIET_S, lives_to_outlive(self.claim.proposal) * self.ttf_us / 1_000_000)

    @property
    def is_over(self) -> bool:
        return self.held is not None

    def fail(self, reason: str) -> None:
        self.held, self.state = False, reason

    def failed_by(self, sight: Sight) -> bool:
        """Whether this look ends it: somebody else's change, or the failure of a new container."""
        proposal, target = self.claim.proposal, self.claim.proposal.action.target
        mark = annotation(sight.fields, mark_of(proposal.action))
        is_marked = proposal.pull is not None or mark == key_in(proposal.action, proposal.patch)
        if not is_marked or not holds(sight.fields, proposal.patch):  # a commit leaves no mark
            self.fail(f"somebody else changed {target} while it was being verified")
            return True
        if sight.deployment.status.observed_generation < sight.deployment.metadata.generation:
            return False  # the newest ReplicaSet is not ours yet
        deaths = [d for d in (death_of(p, self._patched_us(sight)) for p in sight.pods) if d]
        if deaths:
            self.fail(deaths[0])
        return bool(deaths)

    def seen(self, sight: Sight, now_us: int) -> Seen:
        """What the rule gets to look at: the new pods only."""
        target = self.claim.proposal.action.target
        owner = ObjectRef(
            kind=target.kind,
            namespace=target.namespace,
            name=target.name,
            uid=sight.deployment.metadata.uid,
        )
        return Seen(
            now_us=now_us,
            cluster=self.cluster_name,
            pods=sight.pods,
            owners={pod.metadata.uid: owner for pod in sight.pods},
        )

    def judge(self, sight: Sight, seen: Seen, now_us: int) -> None:
        self.polls += 1
        self.n_pods = len(sight.pods)
        missing = missing_for_rollout(sight) or self._alert(sight, seen)
        lives = running_now(sight.pods)
        if missing or lives is None:
            self.state = missing or "not all new containers run and are ready"
            self.quiet_since_us = None
            self.lives = {}
            return
        self._note_lives(lives, now_us)
        self.quiet_since_us = self.quiet_since_us or now_us
        self.ran_s = (now_us - max(self.quiet_since_us, *self.since_us.values(), 0)) / 1_000_000
        self.state = f"quiet for {self.ran_s:.0f} of {self.quiet_s:.0f} s"
        if self.ran_s >= self.quiet_s:
            self.held = True

    def verification(self, now_us: int) -> Verification:
        return Verification(
            held=bool(self.held),
            reason=self._held_reason() if self.held else self.state,
            observed=tuple(self._observed()),
            ended_us=now_us,
        )

    async def tell(self, progress: Progress) -> None:
        """Each new state once, and the quiet stretch every 5 s."""
        if self.quiet_since_us is not None and not self.is_over:
            text = f"quiet for {self.ran_s // 5 * 5:.0f} of {self.quiet_s:.0f} s"
        else:
            text = self.state
        if text != self.told and not self.is_over:
            self.told = text
            await progress(text)

    def _patched_us(self, sight: Sight) -> int:
        if self.claim.proposal.pull is not None:
            return self.applied.at_us  # the reconciler's change; ours may be an older one
        manager = field_manager_of(self.claim.proposal.action)
        return patched_us(sight.deployment, manager, self.applied.at_us)

    def _alert(self, sight: Sight, seen: Seen) -> str:
        """What the rule says about the new pods; what it says about their past is no news."""
        since_us = self._patched_us(sight)
        new = {p.metadata.name for p in sight.pods if is_new(p, since_us)}
        known = {p.metadata.name for p in sight.pods} | {""}
        for alert in self.check(seen):
            is_news = alert.pod in new or alert.last_us >= since_us
            if alert.is_firing and alert.pod in known and is_news:
                self.noisy += 1
                return f"the rule {alert.rule} still fires: {alert.title[:160]}"
        return ""

    def _note_lives(self, lives: dict[tuple[str, str], str], now_us: int) -> None:
        self.since_us = {
            who: self.since_us[who] if self.lives.get(who) == life else now_us
            for who, life in lives.items()
        }
        self.lives = lives

    def _held_reason(self) -> str:
        earlier = f"; longest earlier life {self.ttf_us / 1_000_000:.1f} s" if self.ttf_us else ""
        short = self.proof_s > self.quiet_s
        bound = ", which is more than the window allows to wait for" if short else ""
        return (
            f"{self.n_pods} of {self.n_pods} pods ran {self.ran_s:.0f} s without a restart"
            f"{earlier}{bound}; the rule is silent"
        )

    def _observed(self) -> list[str]:
        lines = [f"{self.polls} looks at the rollout, its {self.n_pods} new pods and the rule"]
        if self.quiet_since_us is not None:
            lines.append(f"quiet for {self.ran_s:.0f} s, {self.quiet_s:.0f} s wanted")
        if self.noisy:
            lines.append(f"the rule fired in {self.noisy} of them")
        if self.missed:
            lines.append(f"the API server did not answer {self.missed} times")
        return [*lines, self.state]
