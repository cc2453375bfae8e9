from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign import router
from campaign.router import Load, Policy, Route, Scene, Spent, StandIn, Step, Then

ENGINES = ("klein", "hosted", "sculpt")
ORDERS = (
    ("sculpt",),
    ("klein", "sculpt"),
    ("hosted", "sculpt"),
    ("klein", "hosted", "sculpt"),
    ("hosted", "klein", "sculpt"),
)
usd = st.decimals(0, 50, places=2)
loads = st.builds(
    Load,
    is_alive=st.booleans(),
    waiting=st.integers(0, 200),
    usual_s=st.floats(0.1, 60),
    at_once=st.integers(1, 16),
)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    policy = Policy(
        engines=draw(st.sampled_from(ORDERS)),
        patience_s=draw(st.integers(0, 120)),
        hourly_budget_usd=draw(st.none() | usd),
        budget_usd=draw(st.none() | usd),
    )
    found = {name: draw(loads) for name in ENGINES}
    found["hosted"] = replace(found["hosted"], cost_usd=draw(usd))
    return Scene(policy, found, Spent(draw(usd), draw(usd)))


def is_affordable(engine: str, scene: Scene) -> bool:
    cost = scene.loads[engine].cost_usd
    caps = (
        (scene.spent.hour_usd, scene.policy.hourly_budget_usd),
        (scene.spent.campaign_usd, scene.policy.budget_usd),
    )
    return not cost or all(cap is None or spent + cost <= cap for spent, cap in caps)


def possible(scene: Scene) -> list[str]:
    return [
        name
        for name in scene.policy.engines
        if scene.loads[name].is_alive and is_affordable(name, scene)
    ]


many = settings(max_examples=200, derandomize=True, deadline=None)


@many
@given(scenes())
def test_route_never_asks_who_is_away_while_somebody_is_there(scene: Scene) -> None:
    there = possible(scene)
    chosen = router.route(scene)
    assert chosen.engine in (there or ["sculpt"])
    assert chosen.engine in scene.policy.engines


@many
@given(scenes())
def test_route_never_overruns_a_budget(scene: Scene) -> None:
    assert is_affordable(router.route(scene).engine, scene)


@many
@given(scenes())
def test_route_has_sculpt_beside_whatever_is_slower(scene: Scene) -> None:
    chosen = router.route(scene)
    assert chosen.has_stand_in is (chosen.engine != "sculpt")


@many
@given(scenes())
def test_route_keeps_to_patience_or_says_that_it_is_late(scene: Scene) -> None:
    """So nobody waits longer for review than for patience or for sculpt, whichever is longer."""
    chosen = router.route(scene)
    if chosen.has_stand_in:
        in_time = scene.loads[chosen.engine].eta_s <= scene.policy.patience_s
        assert chosen.is_late is not in_time
    else:
        assert chosen.is_late is False


@many
@given(scenes())
def test_route_takes_the_first_that_the_campaign_wants_and_can_have(scene: Scene) -> None:
    in_time = [
        name
        for name in possible(scene)
        if name != "sculpt" and scene.loads[name].eta_s <= scene.policy.patience_s
    ]
    slow = [name for name in possible(scene) if name != "sculpt"]
    assert router.route(scene).engine == (in_time or slow or ["sculpt"])[0]


@many
@given(scenes())
def test_route_is_the_same_for_the_same_scene_and_says_why(scene: Scene) -> None:
    assert router.route(scene) == router.route(scene)
    assert router.route(scene).reason.startswith(f"{router.route(scene).engine}: ")
    assert len(router.route(scene).reason) < 400


@many
@given(scenes(), st.sampled_from(ENGINES), st.floats(-60, 120), st.sampled_from(StandIn))
def test_after_failure_only_what_comes_later_is_asked_and_the_rest_is_shown(
    scene: Scene, failed: str, left_s: float, stand_in: StandIn
) -> None:
    step = router.after_failure(
        scene, failed=failed, code="engine_broke", left_s=left_s, stand_in=stand_in
    )
    if step.then == Then.ASK:
        assert step.route is not None
        asked, order = step.route.engine, scene.policy.engines
        assert order.index(asked) > order.index(failed)
        assert asked in possible(scene)
        assert stand_in == StandIn.NONE or scene.loads[asked].eta_s <= left_s
    else:
        assert (
            step.then
            == {
                StandIn.READY: Then.SHOW,
                StandIn.COMING: Then.WAIT,
                StandIn.NONE: Then.GIVE_UP,
            }[stand_in]
        )


@many
@given(scenes(), st.sampled_from(ENGINES), st.sampled_from(StandIn))
def test_out_of_patience_shows_what_there_is_and_gives_up_only_where_nobody_is_left(
    scene: Scene, engine: str, stand_in: StandIn
) -> None:
    step = router.out_of_patience(scene, engine=engine, stand_in=stand_in)
    is_ready = stand_in == StandIn.READY
    assert (step.then == Then.SHOW) is is_ready
    if step.then == Then.GIVE_UP:
        later = (
            scene.policy.engines[scene.policy.engines.index(engine) + 1 :]
            if (engine in scene.policy.engines)
            else ()
        )
        assert stand_in == StandIn.NONE
        assert not scene.loads[engine].is_alive
        assert [name for name in later if name in possible(scene) and name != "sculpt"] == []


@pytest.mark.parametrize("is_in_review", [True, False])
@pytest.mark.parametrize("is_stand_in", [True, False])
def test_late_result_replaces_a_stand_in_in_review_and_nothing_else(
    is_in_review: bool, is_stand_in: bool
) -> None:
    replaces = router.late_result(is_in_review=is_in_review, is_stand_in=is_stand_in)
    assert replaces is (is_in_review and is_stand_in)


def told(klein: Load, hosted: Load | None = None, **policy: object) -> Scene:
    engines = ("klein", "hosted", "sculpt") if hosted else ("klein", "sculpt")
    found = {"klein": klein, "hosted": hosted or Load(False), "sculpt": Load(True, 3, 2.0)}
    return Scene(Policy(engines, 20, **policy), found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scene", "chosen"),
    [
        (
            told(Load(True, 3, 2.0)),
            Route("klein", True, False, "klein: 3 waiting, about 8 s"),
        ),
        (told(Load(False)), Route("sculpt", False, False, "sculpt: klein is away")),
        (
            told(Load(True, 90, 4.0, at_once=8)),
            Route("klein", True, True, "klein: 90 waiting, about 48 s; sculpt's until then"),
        ),
        (
            told(Load(True, 90, 4.0, at_once=8), Load(True, 1, 9.0)),
            Route("hosted", True, False, "hosted: klein takes about 48 s, 1 waiting, about 18 s"),
        ),
        (
            told(Load(False), Load(True, 1, 9.0, cost_usd=Decimal(2)), budget_usd=Decimal(1)),
            Route("sculpt", False, False, "sculpt: klein is away, hosted is over the budget"),
        ),
        (
            Scene(Policy(("sculpt",), 20), {"sculpt": Load(True, 2, 3.0)}),
            Route("sculpt", False, False, "sculpt: 2 waiting, about 9 s"),
        ),
    ],
)
def test_route_in_words_for_the_crew(scene: Scene, chosen: Route) -> None:
    assert router.route(scene) == chosen


def test_steps_in_words_for_the_crew() -> None:
    scene = told(Load(True, 0, 2.0), Load(True, 1, 3.0))
    route = Route("hosted", True, False, "hosted: klein failed (no_face), 1 waiting, about 6 s")
    failed = router.after_failure(
        scene, failed="klein", code="no_face", left_s=9.0, stand_in=StandIn.COMING
    )
    assert failed == Step(Then.ASK, "klein failed (no_face)", route)
    over = router.out_of_patience(scene, engine="klein", stand_in=StandIn.READY)
    assert over == Step(Then.SHOW, "20 s are over: sculpt's goes to review")
