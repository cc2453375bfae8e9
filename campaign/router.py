"""Which engine makes a figurine: the campaign's order of engines, its patience, its budget.

Pure: no database, no clock. What is asked about is handed in (load.py reads it), and what is
answered is carried out elsewhere (dispatch.py, upgrades.py). Sculpt is the last rung of every
campaign: it needs no graphics card, no account and no weights, and whenever a slower engine is
asked, a stand-in of sculpt's is made beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

SCULPT: Final = "sculpt"
HOSTED: Final = "hosted"
"""The one that sends a face to a company, and takes money."""


@dataclass(frozen=True)
class Policy:
    """What a campaign wants."""

    engines: tuple[str, ...]
    """The one it wants first; sculpt last."""
    patience_s: float
    """How long a visitor waits for an engine before sculpt's goes to review."""
    hourly_budget_usd: Decimal | None = None
    budget_usd: Decimal | None = None
    """For good. None: any amount."""


@dataclass(frozen=True)
class Load:
    """How busy an engine is."""

    is_alive: bool
    """Whether a worker of it is ready."""
    waiting: int = 0
    """Figurines asked of it that are not there yet, those in hand included."""
    usual_s: float = 0.0
    """From a claim to the figurine."""
    at_once: int = 1
    """Figurines it makes side by side, all workers together."""
    cost_usd: Decimal = Decimal(0)
    """Of one figurine more, before anybody has said what it is."""

    @property
    def eta_s(self) -> float:
        """Until one more figurine is there."""
        return (self.waiting // max(1, self.at_once) + 1) * self.usual_s


@dataclass(frozen=True)
class Spent:
    """What a campaign's figurines have cost, those on their way included."""

    hour_usd: Decimal = Decimal(0)
    campaign_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class Scene:
    """All that a decision is made of."""

    policy: Policy
    loads: Mapping[str, Load]
    """By name, for every engine of the policy."""
    spent: Spent = Spent()


@dataclass(frozen=True)
class Route:
    """Who makes it, and in words why."""

    engine: str
    has_stand_in: bool
    """Whether sculpt makes one meanwhile."""
    is_late: bool
    """Whether it will not be there in time: sculpt's goes to review as soon as it is."""
    reason: str


class StandIn(StrEnum):
    """How sculpt's picture stands while another engine works."""

    READY = "ready"
    COMING = "coming"
    NONE = "none"
    """It was never asked for, or sculpt has failed."""


class Then(StrEnum):
    """What to do next."""

    ASK = "ask"
    """Another engine, of the route that comes with it."""
    SHOW = "show"
    """The stand-in goes to review."""
    WAIT = "wait"
    """For what is still being made."""
    GIVE_UP = "give_up"
    """Nobody makes this one."""


@dataclass(frozen=True)
class Step:
    then: Then
    reason: str
    route: Route | None = None
    """Of Then.ASK alone."""


def route(scene: Scene) -> Route:
    """The first engine that is there, paid for and fast enough.

    Where none but sculpt is fast enough, the first that is there makes it all the same, and what it
    makes takes the place of sculpt's later. Where none is there at all, sculpt.
    """
    passed: list[str] = []
    late = ""
    for engine in _rungs(scene.policy):
        load = scene.loads[engine]
        if stop := _against(engine, scene):
            passed.append(stop)
        elif load.eta_s > scene.policy.patience_s:
            passed.append(f"{engine} takes about {_seconds(load)}")
            late = late or engine
        else:
            return _routed(engine, load, passed)
    if late:
        load = scene.loads[late]
        words = f"{late}: {load.waiting} waiting, about {_seconds(load)}; sculpt's until then"
        return Route(late, has_stand_in=True, is_late=True, reason=words)
    return _routed(SCULPT, scene.loads[SCULPT], passed)


def after_failure(
    scene: Scene, *, failed: str, code: str, left_s: float, stand_in: StandIn
) -> Step:
    """What to do when an engine has failed for good on a figurine that nobody has seen.

    left_s: seconds of patience left. They do not count where there is no stand-in to show.
    """
    bound_s = float("inf") if stand_in == StandIn.NONE else left_s
    why = f"{failed} failed ({code})"
    for engine in _rungs(scene.policy, below=failed):
        load = scene.loads[engine]
        if not _against(engine, scene) and load.eta_s <= bound_s:
            return Step(Then.ASK, why, _routed(engine, load, [why]))
    return _without(stand_in, why)


def out_of_patience(scene: Scene, *, engine: str, stand_in: StandIn) -> Step:
    """What to do when the time is up and the engine has brought nothing.

    The engine goes on. Only where it is away and sculpt has failed, another one is asked.
    """
    patience = f"{scene.policy.patience_s:.0f} s are over"
    if stand_in != StandIn.NONE:
        return _without(stand_in, patience)
    load = scene.loads.get(engine)
    if load is not None and load.is_alive:
        return Step(Then.WAIT, patience)
    why = f"{engine} is away"
    for rung in _rungs(scene.policy, below=engine):
        if not _against(rung, scene):
            return Step(Then.ASK, why, _routed(rung, scene.loads[rung], [why]))
    return Step(Then.GIVE_UP, why)


def late_result(*, is_in_review: bool, is_stand_in: bool) -> bool:
    """Whether what an engine brings late takes the place of what is there: of a stand-in on which
    nobody has decided, and of nothing else."""
    return is_in_review and is_stand_in


def _rungs(policy: Policy, *, below: str = "") -> Iterator[str]:
    """The engines before sculpt, or those of them after one; none after one that it lacks."""
    names = [name for name in policy.engines if name != SCULPT]
    if below:
        names = names[names.index(below) + 1 :] if below in names else []
    yield from names


def _against(engine: str, scene: Scene) -> str:
    """Why an engine cannot be asked, or nothing."""
    load, policy, spent = scene.loads[engine], scene.policy, scene.spent
    if not load.is_alive:
        return f"{engine} is away"
    if load.cost_usd and not (
        _fits(spent.hour_usd + load.cost_usd, policy.hourly_budget_usd)
        and _fits(spent.campaign_usd + load.cost_usd, policy.budget_usd)
    ):
        return f"{engine} is over the budget"
    return ""


def _fits(usd: Decimal, most: Decimal | None) -> bool:
    return most is None or usd <= most


def _routed(engine: str, load: Load, passed: list[str]) -> Route:
    """In time, with what spoke against the engines before it, or with what is to be expected."""
    expected = f"{load.waiting} waiting, about {_seconds(load)}"
    is_sculpt = engine == SCULPT
    words = ", ".join(passed if passed and is_sculpt else [*passed, expected])
    return Route(engine, has_stand_in=not is_sculpt, is_late=False, reason=f"{engine}: {words}")


def _without(stand_in: StandIn, why: str) -> Step:
    match stand_in:
        case StandIn.READY:
            return Step(Then.SHOW, f"{why}: sculpt's goes to review")
        case StandIn.COMING:
            return Step(Then.WAIT, f"{why}: sculpt's is on its way")
        case StandIn.NONE:
            return Step(Then.GIVE_UP, why)


def _seconds(load: Load) -> str:
    return f"{max(1, round(load.eta_s))} s"
