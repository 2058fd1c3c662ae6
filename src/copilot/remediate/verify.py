"""Whether a change holds: the rollout is complete, the new containers outlive the old ones, and
the rule that opened the incident is silent. A back-off that merely sleeps is not quiet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from copilot.domain.action import (
    RerunJob,
    SetCordon,
    SetMemory,
    SetSuspended,
    SetVolumeSize,
)
from copilot.domain.alert import Check, Seen
from copilot.domain.errors import BadInput, Busy, NotFound, Refused, Unavailable
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Applied, Claim, Proposal, Verification
from copilot.domain.quantity import parse_bytes
from copilot.ports import Clock, Cluster, Kind
from copilot.remediate.marks import field_manager_of, is_as_made, key_of, made_by, mark_of
from copilot.remediate.plan import holds
from copilot.remediate.resizing import impossible, outstanding, resize_in, resized_us
from copilot.remediate.rollout import death_of, is_new, patched_us, running_now
from copilot.remediate.sight import Sight, look
from copilot.remediate.tree import (
    Fields,
    annotation_at,
    containers_of,
    decode,
    fields_at,
    items_at,
    text_at,
)

POLL_S = 1.0
QUIET_S = 15.0
READINGS_S = 75.0
"""How long a rule must be silent that goes by a minute of readings: until then it is blind."""
LIVES = 2.0
LEAK_MARGIN = 1.25
ROLLOUT_S = 30.0
"""Kept of the window for the rollout itself."""
PAST_DEADLINE_S = 30.0
"""How long it may take until it shows that a Job was stopped by its deadline."""

_SHOWS_ITSELF = (Kind.SERVICE, Kind.CLAIM, Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET)
"""A change of one of these holds only where it is well itself, too."""

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
    quiet_s: float = QUIET_S,
) -> Verification:
    """What came of the change: held, or not and why, with figures. It changes nothing.

    `check` is the rule that opened the incident, `ttf_us` the longest life a container had before
    it failed (0 for unknown); it must be quiet for `quiet_s` at least. Ends at the first failure of a new container, after a quiet stretch,
    or with the proposal's window; outages of the API are survived until then. Called again after a
    crash it starts a new stretch.
    """
    watch = _Watch(
        claim=claim,
        applied=applied,
        ttf_us=ttf_us,
        cluster_name=cluster_name,
        check=check,
        least_s=quiet_s,
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

    A program that leaks, or fills its volume, lives as much longer as it was given more, and is no
    better for it: then it is by a quarter more than that.
    """
    action, before = proposal.action, None
    if isinstance(action, SetMemory):
        before = _limit_before(proposal, action.container)
    elif isinstance(action, SetVolumeSize):
        before = _size_before(proposal.rollback, action.volume)
    if before is None or not isinstance(action, SetMemory | SetVolumeSize):
        return LIVES
    return max(LIVES, LEAK_MARGIN * parse_bytes(action.limit) / parse_bytes(before))


def _limit_before(proposal: Proposal, container: str) -> str | None:
    resize = resize_in(proposal.operations)
    before = (
        items_at(fields_at(decode(resize.rollback), "spec"), "containers")
        if resize
        else containers_of(decode(proposal.rollback or "{}"))
    )
    for one in before:
        if one.get("name") == container:
            return text_at(one, "resources", "limits", "memory")
    return None


def _size_before(rollback: str | None, volume: str) -> str | None:
    spec = fields_at(decode(rollback or "{}"), "spec", "template", "spec")
    for one in items_at(spec, "volumes"):
        if one.get("name") == volume:
            return text_at(one, "emptyDir", "sizeLimit")
    return None


async def _poll(watch: _Watch, cluster: Cluster, now_us: int, enrich: Enrich | None) -> None:
    try:
        if watch.failed_by(await _changed(watch, cluster)):
            return
        sight = await _sight(watch, cluster)
        if watch.failed_pods(sight):
            return
        seen = watch.seen(sight, now_us)
        also = await _target_sight(watch, cluster)
        watch.judge(sight, also, await enrich(seen) if enrich else seen, now_us)
    except NotFound as gone:
        watch.fail(f"{watch.proves_on} was deleted" if watch.is_changed_there else gone.message)
    except BadInput as error:
        watch.fail(error.message)
    except (Unavailable, Busy, Refused) as error:
        watch.missed += 1
        watch.state = f"the API server does not answer ({error.message[:120]})"


async def _sight(watch: _Watch, cluster: Cluster) -> Sight:
    """Of the workload that proves it. A node that is cordoned need not be well, and what a
    CronJob ran says nothing of its schedule: they are looked at for what was changed only."""
    action = watch.claim.proposal.action
    is_only_set = isinstance(action, SetCordon) or (
        isinstance(action, SetSuspended) and action.target.kind == Kind.CRON_JOB
    )
    if is_only_set and watch.is_changed_there:
        return Sight(uid=watch.proves_on.uid)
    return await look(watch.proves_on, cluster, since_us=watch.patched_us)


async def _changed(watch: _Watch, cluster: Cluster) -> Fields | None:
    """The object that was changed, as it is; None where the action leaves none."""
    proposal = watch.claim.proposal
    if not key_of(proposal):
        return None
    return decode(await cluster.get(proposal.action.target))


async def _target_sight(watch: _Watch, cluster: Cluster) -> Sight | None:
    """Of a changed object that shows by itself whether it does its work."""
    target = watch.claim.proposal.action.target
    if watch.is_changed_there or target.kind not in _SHOWS_ITSELF:
        return None
    return await look(target, cluster)


@dataclass(slots=True, kw_only=True)
class _Watch:
    """What was observed so far."""

    claim: Claim
    applied: Applied
    ttf_us: int
    cluster_name: str
    check: Check
    least_s: float
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
    outstanding: str = ""
    """What a resize in place still waits for."""
    patched_us: int = 0
    """When the change went in, by the API server's clock."""
    done: str = ""

    @property
    def quiet_s(self) -> float:
        """How long the new containers must run: `proof_s`, and no longer than the window leaves
        room for."""
        return min(self.proof_s, max(self.least_s, self.claim.proposal.window_s - ROLLOUT_S))

    @property
    def proof_s(self) -> float:
        """What would prove it: twice the longest earlier life or more, `least_s` at least. A Job
        with a longer deadline has to end before that."""
        action = self.claim.proposal.action
        if isinstance(action, RerunJob) and action.deadline_s is not None:
            return action.deadline_s + PAST_DEADLINE_S
        return max(self.least_s, lives_to_outlive(self.claim.proposal) * self.ttf_us / 1_000_000)

    @property
    def is_over(self) -> bool:
        return self.held is not None

    @property
    def proves_on(self) -> ObjectRef:
        return self.claim.proposal.proves_on

    @property
    def is_changed_there(self) -> bool:
        return self.proves_on.key == self.claim.proposal.action.target.key

    def fail(self, reason: str) -> None:
        self.held, self.state = False, reason

    def failed_by(self, changed: Fields | None) -> bool:
        """Whether somebody else's change ends it."""
        proposal, target = self.claim.proposal, self.claim.proposal.action.target
        if changed is None:
            self.patched_us = self.applied.at_us // 1_000_000 * 1_000_000
            return False
        manager = field_manager_of(proposal.action)
        self.patched_us = patched_us(changed, manager, self.applied.at_us)
        is_ours = annotation_at(changed, mark_of(proposal.action)) == key_of(proposal)
        if proposal.pull is not None:  # a commit leaves no mark, and the reconciler wrote it
            self.patched_us, is_ours = self.applied.at_us // 1_000_000 * 1_000_000, True
        made = made_by(proposal)
        is_as_left = holds(changed, proposal.patch) and (not made or is_as_made(changed, made))
        if is_ours and is_as_left:
            return self._failed_resize(changed)
        self.fail(f"somebody else changed {target} while it was being verified")
        return True

    def _failed_resize(self, pod: Fields) -> bool:
        """Whether a pod that was to be resized where it runs will not be."""
        resize = resize_in(self.claim.proposal.operations)
        if resize is None:
            return False
        self.patched_us = resized_us(pod, self.patched_us)
        self.outstanding = outstanding(pod, resize)
        if reason := impossible(pod):
            self.fail(reason)
        elif not holds(pod, resize.patch):
            why = self.applied.trouble or "somebody else changed it while it was being verified"
            self.fail(f"{resize.target} is not asked to be of that size: {why}")
        return self.is_over

    def failed_pods(self, sight: Sight) -> bool:
        """Whether the failure of a container, or of the whole workload, ends it."""
        if not sight.is_settled:
            return False  # the newest pods are not ours yet
        deaths = [d for d in (death_of(p, self.patched_us) for p in sight.pods) if d]
        if sight.failed:
            deaths.append(sight.failed)
        if deaths:
            self.fail(deaths[0])
        return bool(deaths)

    def seen(self, sight: Sight, now_us: int) -> Seen:
        """What the rule gets to look at: the pods that show what came of the change only."""
        named = self.proves_on
        owner = ObjectRef(
            kind=named.kind, namespace=named.namespace, name=named.name, uid=sight.uid
        )
        return Seen(
            now_us=now_us,
            cluster=self.cluster_name,
            pods=sight.pods,
            owners={pod.metadata.uid: owner for pod in sight.pods},
        )

    def judge(self, sight: Sight, also: Sight | None, seen: Seen, now_us: int) -> None:
        self.polls += 1
        self.n_pods = len(sight.pods)
        missing = (
            self.outstanding
            or sight.missing
            or (also.missing if also else "")
            or self._alert(sight, seen)
        )
        if sight.done and not missing:
            self.held, self.done = True, sight.done
            return
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

    def _alert(self, sight: Sight, seen: Seen) -> str:
        """What the rule says about the new pods; what it says about their past is no news."""
        since_us = self.patched_us
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
        if self.done:
            return f"{self.done}; the rule is silent"
        if not self.n_pods:
            return f"as it should be for {self.ran_s:.0f} s; the rule is silent"
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
