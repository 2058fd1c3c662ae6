"""Who keeps an object, whom a budget protects, when changes are frozen, who need not be asked."""

import pytest

from copilot.domain.action import (
    Action,
    ChaosMemory,
    DeletePod,
    Restart,
    Scale,
    SetConfigValue,
    SetMemory,
)
from copilot.domain.errors import Invalid
from copilot.domain.objects import LabelSelector, Metadata, SelectorRequirement
from copilot.domain.proposal import Patch, Risk
from copilot.domain.selectors import matches
from copilot.domain.surroundings import BudgetSpec, BudgetStatus, PodDisruptionBudget
from copilot.remediate.budgets import overdrawn
from copilot.remediate.freezes import parse_freeze
from copilot.remediate.keepers import belongs_in_git, keeper_of
from copilot.remediate.policy import (
    Guardrail,
    Mode,
    Policy,
    approvals_needed,
    guardrail_for,
    parse_guardrail,
)
from tests.builders_workloads import an_object, ref

MEMORY = SetMemory(target=ref("Deployment"), container="app", limit="64Mi")


@pytest.mark.parametrize(
    ("labels", "annotations", "name", "is_gitops"),
    [
        pytest.param(
            {},
            {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"},
            "Argo CD application shop",
            True,
            id="argo-by-annotation",
        ),
        pytest.param(
            {"argocd.argoproj.io/instance": "shop"},
            {},
            "Argo CD application shop",
            True,
            id="argo-by-label",
        ),
        pytest.param(
            {"kustomize.toolkit.fluxcd.io/name": "apps"},
            {},
            "Flux Kustomization apps",
            True,
            id="flux-kustomization",
        ),
        pytest.param(
            {
                "helm.toolkit.fluxcd.io/name": "web",
                "app.kubernetes.io/managed-by": "Helm",
            },
            {"meta.helm.sh/release-name": "web"},
            "Flux HelmRelease web",
            True,
            id="flux-helm-release",
        ),
        pytest.param(
            {}, {"meta.helm.sh/release-name": "web"}, "Helm release web", False, id="helm"
        ),
        pytest.param(
            {"app.kubernetes.io/instance": "web", "app.kubernetes.io/managed-by": "Tilt"},
            {},
            "Tilt",
            False,
            id="an-instance-label-alone-is-not-argo",
        ),
    ],
)
def test_who_keeps_an_object_is_told_by_its_marks(
    labels: dict[str, str], annotations: dict[str, str], name: str, is_gitops: bool
) -> None:
    keeper = keeper_of(an_object("Deployment", labels=labels, annotations=annotations))

    assert keeper is not None
    assert (keeper.name, keeper.is_gitops) == (name, is_gitops)


def test_an_instance_label_that_argo_has_written_is_its_own() -> None:
    live = an_object("Deployment", labels={"app.kubernetes.io/instance": "shop"})
    live["metadata"]["managedFields"] = [{"manager": "argocd-controller"}]

    keeper = keeper_of(live)

    assert keeper is not None
    assert keeper.is_gitops


def test_nobody_keeps_what_nobody_has_marked() -> None:
    assert keeper_of(an_object("Deployment")) is None


@pytest.mark.parametrize(
    ("action", "is_for_git"),
    [
        pytest.param(MEMORY, True, id="a-limit-is-in-the-manifest"),
        pytest.param(Restart(target=ref("Deployment"), at_us=1), False, id="a-restart-is-not"),
        pytest.param(DeletePod(target=ref("Pod")), False, id="a-pod-is-not"),
        pytest.param(
            ChaosMemory(target=ref("Deployment"), container="app", limit="8Mi"),
            False,
            id="chaos-is-to-be-undone",
        ),
    ],
)
def test_what_a_manifest_says_is_changed_in_git(action: Action, is_for_git: bool) -> None:
    live = an_object("Deployment", labels={"kustomize.toolkit.fluxcd.io/name": "apps"})

    assert (belongs_in_git(action, live) is not None) is is_for_git


def a_budget(
    healthy: int, wanted: int, selector: LabelSelector | None = None
) -> PodDisruptionBudget:
    return PodDisruptionBudget(
        metadata=Metadata(name="web-pdb"),
        spec=BudgetSpec(selector=selector or LabelSelector(match_labels={"app": "web"})),
        status=BudgetStatus(current_healthy=healthy, desired_healthy=wanted),
    )


@pytest.mark.parametrize(
    ("budget", "away", "n_unready", "is_broken"),
    [
        pytest.param(a_budget(3, 2), 1, 0, False, id="one-may-go"),
        pytest.param(a_budget(2, 2), 1, 0, True, id="none-may-go"),
        pytest.param(a_budget(2, 2), 1, 1, False, id="the-one-that-goes-does-not-serve"),
        pytest.param(a_budget(0, 2), 1, 1, False, id="nothing-is-left-to-lose"),
        pytest.param(a_budget(2, 2), 0, 0, False, id="none-goes"),
        pytest.param(
            a_budget(2, 2, LabelSelector(match_labels={"app": "other"})), 1, 0, False, id="others"
        ),
    ],
)
def test_a_budget_is_held_against_the_pods_that_serve(
    budget: PodDisruptionBudget, away: int, n_unready: int, is_broken: bool
) -> None:
    found = [*overdrawn([budget], {"app": "web"}, away=away, n_unready=n_unready)]

    assert bool(found) is is_broken


def test_a_broken_budget_is_told_with_its_figures() -> None:
    assert [*overdrawn([a_budget(2, 2)], {"app": "web"}, away=1, n_unready=0)] == [
        "PodDisruptionBudget web-pdb wants 2 healthy pods; 2 are, and 1 would go"
    ]


@pytest.mark.parametrize(
    ("operator", "values", "is_chosen"),
    [
        ("In", ["web", "api"], True),
        ("NotIn", ["web"], False),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
        ("Gt", ["1"], False),
    ],
)
def test_selectors_are_read_as_kubernetes_does(
    operator: str, values: list[str] | None, is_chosen: bool
) -> None:
    requirement = SelectorRequirement(key="app", operator=operator, values=values)

    assert matches(LabelSelector(match_expressions=[requirement]), {"app": "web"}) is is_chosen
    assert matches(LabelSelector(), {})
    assert not matches(None, {"app": "web"})


FRIDAY_17_UTC_US = 1_764_349_200_000_000
HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("text", "hours_later", "is_frozen"),
    [
        pytest.param("Fri 16:00-Mon 08:00 weekend", 0, True, id="friday-evening"),
        pytest.param("Fri 16:00-Mon 08:00 weekend", 60, True, id="monday-at-five"),
        pytest.param("Fri 16:00-Mon 08:00 weekend", 63, False, id="monday-at-eight"),
        pytest.param("Fri 16:00-Mon 08:00 weekend", 168, True, id="next-week-again"),
        pytest.param("Mon 08:00-Fri 17:00", -1, True, id="within-the-week"),
        pytest.param("Mon 08:00-Fri 17:00", 0, False, id="its-end-is-not-in-it"),
        pytest.param("2025-11-28T00:00Z/2025-11-29T00:00Z sale", 0, True, id="once"),
        pytest.param("2025-11-28T00:00Z/2025-11-29T00:00Z sale", 8, False, id="once-is-over"),
    ],
)
def test_a_freeze_holds_in_its_time(text: str, hours_later: int, is_frozen: bool) -> None:
    freeze = parse_freeze(text)

    assert freeze.holds(FRIDAY_17_UTC_US + hours_later * HOUR_US) is is_frozen


@pytest.mark.parametrize("text", ["weekends", "Fri 16:00", "soon/later", ""])
def test_a_freeze_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_freeze(text)


RAILS = (Guardrail(action="set_memory", resource="Deployment/shop/*"),)
FREE = Policy(mode=Mode.AUTONOMOUS, guardrails=RAILS)


@pytest.mark.parametrize(
    ("policy", "action", "risk", "rail"),
    [
        pytest.param(FREE, MEMORY, Risk.LOW, "set_memory:Deployment/shop/*", id="both-are-named"),
        pytest.param(FREE, MEMORY, Risk.HIGH, "", id="a-high-risk-is-for-people"),
        pytest.param(
            FREE, Scale(target=ref("Deployment"), replicas=2), Risk.LOW, "", id="another-action"
        ),
        pytest.param(
            FREE,
            SetMemory(target=ref("Deployment", namespace="pay"), container="a", limit="1Gi"),
            Risk.LOW,
            "",
            id="another-resource",
        ),
        pytest.param(
            Policy(guardrails=RAILS),
            MEMORY,
            Risk.LOW,
            "",
            id="not-in-review-mode",
        ),
        pytest.param(Policy(mode=Mode.AUTONOMOUS), MEMORY, Risk.LOW, "", id="no-guardrail"),
    ],
)
def test_only_a_guardrail_that_names_both_lets_it_go(
    policy: Policy, action: Action, risk: Risk, rail: str
) -> None:
    assert guardrail_for(action, risk, policy) == rail


@pytest.mark.parametrize(
    ("rails", "rail"),
    [
        pytest.param((), "", id="the-workload-is-not-named"),
        pytest.param(("restart:Deployment/pay/*",), "", id="another-workload-is"),
        pytest.param(
            ("restart:Deployment/shop/*",), "set_config_value:ConfigMap/shop/*", id="both-are"
        ),
    ],
)
def test_a_workload_that_is_started_anew_must_be_named_as_well(
    rails: tuple[str, ...], rail: str
) -> None:
    all_rails = map(parse_guardrail, ("set_config_value:ConfigMap/shop/*", *rails))
    policy = Policy(mode=Mode.AUTONOMOUS, guardrails=tuple(all_rails))
    action = SetConfigValue(target=ref("ConfigMap", "cfg"), key="k", value="2")
    restarted = Patch(target=ref("Deployment"), patch="{}", rollback="{}")

    assert guardrail_for(action, Risk.LOW, policy, (restarted,)) == rail


@pytest.mark.parametrize(
    "text",
    [
        *("set_memory", "fly:Deployment/a/b", "scale:web", "scale:*/a/b"),
        *("scale:[A-Z]eployment/a/b", "scale:deployment/a/b"),
    ],
)
def test_a_guardrail_names_an_action_and_a_kind(text: str) -> None:
    with pytest.raises(Invalid):
        parse_guardrail(text)


def test_two_people_are_asked_where_the_risk_is_high_and_that_is_wanted() -> None:
    wanted = Policy(wants_second_approver=True)

    assert approvals_needed(wanted, Risk.HIGH) == 2
    assert approvals_needed(wanted, Risk.MEDIUM) == 1
    assert approvals_needed(Policy(), Risk.HIGH) == 1
