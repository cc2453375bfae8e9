"""engines/hosted: from selfies to figurines at a provider on this machine."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from figurine import engines, kits, marks, recipes
from figurine.decode import decode
from figurine.engines.base import Limited, Progress, silent
from figurine.engines.hosted import endpoints
from figurine.engines.hosted.desk import DONE, SUBMIT_S, Pace
from figurine.engines.hosted.engine import HostedEngine
from figurine.engines.hosted.ledger import Billed, Loose
from figurine.engines.klein import gate
from figurine.engines.sculpt import SculptEngine
from figurine.engines.workshop import Workshop
from figurine.errors import (
    BigSquad,
    Cancelled,
    NoFace,
    ProviderBroke,
    ProviderRefused,
    ProviderUnpaid,
    UnknownKit,
)
from figurine.types import Candidate, Face, Floats, Pixels, Recipe, Selfie
from tests.figurine.queue_server import KEY, QueueServer, png

RECIPE = Recipe("hosted", "soldier", "painted", plaque="MAE")
PACE = Pace(poll_s=0.0, slow_poll_s=0.0, heed_s=0.002, unsure_s=0.1, in_flight_s=0.03)
STAGES = ["posing", "waiting", "painting", "comparing", "finishing"]


class Remembering(SculptEngine):
    """Whoever poses twice for the same picture is rendered once: most of these tests' time."""

    def __init__(self) -> None:
        super().__init__()
        self.renders: dict[str, list[Candidate]] = {}

    def generate(
        self, selfie: Selfie, recipe: Recipe, *, seeds: Sequence[int], progress: Progress = silent
    ) -> list[Candidate]:
        key = f"{recipe} {len(selfie.faces)} {seeds}"
        if key not in self.renders:
            self.renders[key] = super().generate(selfie, recipe, seeds=seeds, progress=progress)
        return self.renders[key]


@pytest.fixture
def server(provider: QueueServer) -> QueueServer:
    provider.forget()
    provider.looks = 1
    provider.picture = png(1024, 1024, "olive")
    return provider


@pytest.fixture(scope="module")
def loaded(provider: QueueServer) -> HostedEngine:
    engine = HostedEngine(Workshop(hosted_key=KEY, hosted_queue=provider.base), pace=PACE)
    engine._tools.sculptor = Remembering()
    return engine


@pytest.fixture
def hosted(loaded: HostedEngine) -> Iterator[HostedEngine]:
    yield loaded.billed(Loose())
    loaded._tools.recogniser = None


def make(engine: HostedEngine, selfie: Selfie, *seeds: int, **options: Any) -> list[Candidate]:
    return engine.generate(selfie, replace(RECIPE, options=options), seeds=seeds or (1,))


def asked(server: QueueServer) -> list[dict[str, Any]]:
    return [one.arguments for one in server.asked.values()]


def shown(server: QueueServer) -> list[Pixels]:
    """The pictures of the first request."""
    urls = asked(server)[0]["image_urls"]
    return [decode(base64.b64decode(url.partition(",")[2])) for url in urls]


def test_figurine_has_a_still_a_cutout_and_its_history(
    server: QueueServer, hosted: HostedEngine, selfie: Selfie
) -> None:
    told: list[tuple[str, float]] = []
    (made,) = hosted.generate(selfie, RECIPE, seeds=[5], progress=lambda *at: told.append(at))
    assert made.still.shape == (1350, 1080, 3)
    assert made.still[600, 500].tolist() == [128, 128, 0]
    assert made.cutout.shape == (1350, 1080, 4)
    assert (made.recipe, made.seed, made.cost_usd) == (RECIPE, 5, 0.042)
    assert made.engine_version.startswith("fal-ai/flux-2/klein/4b/edit+1.")
    assert len(made.engine_version) <= 80
    assert (made.likeness, made.marks) == (None, (marks.NOT_MEASURED,))
    assert list(dict.fromkeys(stage for stage, _ in told)) == STAGES
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert told[-1] == ("finishing", 1.0)


def test_provider_is_shown_pose_and_face_in_the_request_itself(
    server: QueueServer, hosted: HostedEngine, selfie: Selfie
) -> None:
    make(hosted, selfie, 5)
    (arguments,) = asked(server)
    assert [picture.shape for picture in shown(server)] == [(1024, 1024, 3), (512, 512, 3)]
    assert arguments["image_size"] == {"width": 1024, "height": 1024}
    assert (arguments["seed"], arguments["sync_mode"]) == (5, True)
    assert "MAE" not in arguments["prompt"]


def test_composite_is_one_reference_and_costs_less(
    server: QueueServer, hosted: HostedEngine, selfie: Selfie
) -> None:
    (made,) = make(hosted, selfie, references="composite")
    assert [picture.shape for picture in shown(server)] == [(512, 1024, 3)]
    assert made.cost_usd == 0.028


def test_portrait_frame_is_asked_for(
    server: QueueServer, hosted: HostedEngine, selfie: Selfie
) -> None:
    server.picture = png(832, 1216)
    (made,) = make(hosted, selfie, frame="portrait")
    assert asked(server)[0]["image_size"] == {"width": 832, "height": 1216}
    assert made.still.shape == (1350, 1080, 3)


def test_endpoint_and_price_are_the_recipes(
    server: QueueServer, hosted: HostedEngine, selfie: Selfie
) -> None:
    (made,) = make(hosted, selfie, endpoint="fal-ai/qwen-image-edit-2511", usd_per_megapixel=0.05)
    (one,) = server.asked.values()
    assert (one.path, made.cost_usd) == ("fal-ai/qwen-image-edit-2511", 0.05)


def test_candidates_of_all_seeds_are_out_together(
    server: QueueServer, hosted: HostedEngine, selfie: Selfie
) -> None:
    made = make(hosted, selfie, 1, 2, candidates=2)
    assert [each["seed"] for each in asked(server)] == [
        seed & 0x7FFFFFFF for own in (1, 2) for seed in gate.seeds(own, 2)
    ]
    assert server.calls[:4] == ["submit"] * 4
    assert sorted((each.seed, each.cost_usd) for each in made) == [(1, 0.084), (2, 0.084)]


@pytest.mark.parametrize("size_px", [(1024, 512), (256, 256)])
def test_picture_of_another_shape_is_broken(
    server: QueueServer, hosted: HostedEngine, selfie: Selfie, size_px: tuple[int, int]
) -> None:
    server.picture = png(*size_px)
    with pytest.raises(ProviderBroke):
        make(hosted, selfie)


class Keeping(Loose):
    """As the database does: what was collected can be had again."""

    def close(self, key: str, *, outcome: str, refund_usd: float = 0.0) -> None:
        if outcome != DONE:
            super().close(key, outcome=outcome)


def test_picture_of_another_shape_is_not_collected_again(
    server: QueueServer, loaded: HostedEngine, selfie: Selfie
) -> None:
    ledger = Keeping()
    server.picture = png(1024, 512)
    with pytest.raises(ProviderBroke):
        make(loaded.billed(ledger), selfie)
    server.picture = png(1024, 1024)
    assert len(make(loaded.billed(ledger), selfie)) == 1
    assert server.calls.count("submit") == 2
    make(loaded.billed(ledger), selfie)
    assert server.calls.count("submit") == 2


def test_seed_that_fails_leaves_the_others(
    server: QueueServer, hosted: HostedEngine, selfie: Selfie
) -> None:
    server.faults["result"].append(422)
    assert len(make(hosted, selfie, 1, 2)) == 1


def test_refusal_of_all_is_told(server: QueueServer, hosted: HostedEngine, selfie: Selfie) -> None:
    server.faults["result"] += [422, 422]
    with pytest.raises(ProviderRefused):
        make(hosted, selfie, 1, 2)


class Eyes:
    """A recogniser for pictures without a face: what it would say is told it."""

    def embed(self, pixels: Pixels, face: Face) -> Floats:
        return np.zeros(512, np.float32)


def see(monkeypatch: pytest.MonkeyPatch, engine: HostedEngine, *likenesses: float | None) -> None:
    left = list(likenesses)
    monkeypatch.setattr(engine._tools, "recogniser", Eyes())
    monkeypatch.setattr(gate, "measured", lambda *_: left.pop(0))


def test_likest_candidate_is_kept(
    server: QueueServer,
    hosted: HostedEngine,
    selfie: Selfie,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    see(monkeypatch, hosted, 0.3, 0.6, None)
    (made,) = make(hosted, selfie, candidates=3)
    assert (made.likeness, made.marks, len(server.asked)) == (0.6, (), 3)


def test_figurine_that_is_not_like_enough_is_made_once_more(
    server: QueueServer,
    hosted: HostedEngine,
    selfie: Selfie,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    see(monkeypatch, hosted, 0.1, 0.2)
    (made,) = make(hosted, selfie, likeness=0.4)
    assert (made.likeness, made.marks, made.cost_usd) == (0.2, (marks.UNLIKE,), 0.084)
    first, second = asked(server)
    assert first["seed"] != second["seed"]


def test_figurine_that_need_not_be_like_is_paid_for_once(
    server: QueueServer,
    hosted: HostedEngine,
    selfie: Selfie,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    see(monkeypatch, hosted, -0.04)
    (made,) = make(hosted, selfie, likeness=0)
    assert (made.likeness, made.marks, made.cost_usd) == (-0.04, (), 0.042)
    assert server.calls.count("submit") == 1


def test_second_round_that_fails_leaves_the_first(
    server: QueueServer,
    hosted: HostedEngine,
    selfie: Selfie,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    see(monkeypatch, hosted, None)
    monkeypatch.setattr(server, "looks", 0)
    fail_second = iter([False, True])
    submit = hosted._tools.queue.submit  # type: ignore[union-attr]

    def submit_once(*args: Any, **words: Any) -> str:
        if next(fail_second):
            server.faults["submit"].append(429)
        return submit(*args, **words)

    monkeypatch.setattr(hosted._tools.queue, "submit", submit_once)
    (made,) = make(hosted, selfie)
    assert (made.likeness, made.marks) == (None, (marks.NO_FACE_IN_FIGURINE,))
    assert server.calls.count("submit") == 2


def test_whoever_leaves_while_it_is_painted_has_it_cancelled(
    server: QueueServer, hosted: HostedEngine, selfie: Selfie
) -> None:
    def leave(stage: str, done: float) -> None:
        if stage == "painting":
            raise Cancelled

    with pytest.raises(Cancelled):
        hosted.generate(selfie, RECIPE, seeds=[1], progress=leave)
    assert server.asked["r-1"].is_cancelled


def test_selfie_without_a_face_or_with_a_crowd_is_not_sent(
    server: QueueServer, hosted: HostedEngine, selfie: Selfie
) -> None:
    with pytest.raises(NoFace):
        make(hosted, replace(selfie, faces=()))
    with pytest.raises(BigSquad):
        make(hosted, replace(selfie, faces=selfie.faces * 7))
    assert server.calls == []


def test_warm_up_has_poses_ready(hosted: HostedEngine) -> None:
    hosted.warm_up()
    ready = hosted._sculpt()._moulds
    assert {(kit, "painted", 540) for kit in kits.names()} <= {
        (kit, finish, width_px) for kit, _, finish, width_px in ready
    }


def test_engine_without_a_key_says_so_at_once(selfie: Selfie) -> None:
    engine = engines.load("hosted", Workshop())
    with pytest.raises(ProviderUnpaid):
        engine.warm_up()
    with pytest.raises(ProviderUnpaid):
        engine.generate(selfie, RECIPE, seeds=[1])
    assert isinstance(engine, Billed)
    with pytest.raises(ProviderUnpaid):
        engine.drop("fal-ai/flux-2/klein/4b/edit", "r-1")


def test_engine_is_what_it_promises(hosted: HostedEngine) -> None:
    assert isinstance(hosted, Limited)
    assert isinstance(hosted, Billed)
    assert hosted.name == "hosted"
    four = replace(RECIPE, options={"candidates": 4})
    assert hosted.limit_s(four, faces=1) - hosted.limit_s(RECIPE, faces=1) == 2 * 3 * SUBMIT_S
    assert hosted.limit_s(RECIPE, faces=3) > hosted.limit_s(RECIPE, faces=1)


def test_ledger_of_one_job_is_not_the_next_ones(hosted: HostedEngine) -> None:
    mine, other = Loose(), Loose()
    assert hosted.billed(mine)._ledger is mine
    assert hosted.billed(other)._ledger is other
    assert hosted.billed(mine)._tools is hosted._tools


@pytest.mark.parametrize(
    "options",
    [
        {"endpoint": "fal-ai/flux-pro"},
        {"endpoint": "../../admin"},
        {"usd_per_megapixel": -0.01},
        {"usd_per_megapixel": float("inf")},
        {"usd_per_megapixel": True},
        {"usd_per_megapixel": "0.01"},
        {"references": "inpaint"},
        {"candidates": 5},
        {"frame": "wide"},
    ],
)
def test_recipe_nobody_can_make_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UnknownKit):
        recipes.check(replace(RECIPE, options=options))


@pytest.mark.parametrize("path", list(endpoints.shelf()))
def test_every_endpoint_has_its_price_and_licence(path: str) -> None:
    recipe = replace(RECIPE, options={"endpoint": path})
    recipes.check(recipe)
    endpoint = endpoints.of(recipe)
    assert endpoint.licence == "Apache-2.0"
    assert 0 < endpoint.cost_usd(width_px=1024, height_px=1024, images=2) < 0.2
    assert len(endpoint.price_date) == len("2026-11-26")
    assert endpoint.price_source
    assert endpoint.arguments["sync_mode"] is True


@pytest.mark.parametrize(
    ("size_px", "images", "usd"),
    [((1024, 1024), 2, 0.042), ((832, 1216), 1, 0.028), ((1024, 1280), 2, 0.056)],
)
def test_cost_counts_whole_megapixels(size_px: tuple[int, int], images: int, usd: float) -> None:
    endpoint = endpoints.of(RECIPE)
    assert endpoint.cost_usd(width_px=size_px[0], height_px=size_px[1], images=images) == usd


def test_recipe_is_checked_without_the_providers_client() -> None:
    code = (
        "import sys; from figurine import recipes; from figurine.types import Recipe;"
        "recipes.check(Recipe('hosted', 'soldier', 'painted'));"
        "print(sorted(set(sys.modules) & {'fal_client', 'httpx', 'torch', 'mitsuba'}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
