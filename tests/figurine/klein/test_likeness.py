"""The likeness gate with recognisers that look: pictures are photos, of the sitter or of others.

What a painter would make of a face is not the question here; who is told from whom is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from figurine import marks
from figurine.decode import decode
from figurine.engines.base import Order
from figurine.engines.klein import KleinEngine, frame, gate
from figurine.engines.klein.painter import Commission, Step
from figurine.engines.workshop import Workshop
from figurine.gate import admit
from figurine.likeness import Recogniser
from figurine.types import Candidate, Pixels, Recipe, Selfie
from tests.bench.embedders import ARCFACE_WEIGHTS
from tests.figurine import synthetic
from tests.photos import SHARED, portrait

RECIPE = Recipe("klein", "soldier", "painted", options={"likeness": 0.5})
SIDE_PX = 512
GREY = np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8)

pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="one portrait alone is nobody else's")


class Gallery:
    """A painter that hangs up the photo that is told for a seed; refining swaps it for another."""

    name, version = "gallery", "1"
    width_px = height_px = SIDE_PX
    wants_identity = False

    def __init__(self, painted: Mapping[int, Pixels], refined: Pixels = GREY) -> None:
        self.painted, self.refined = painted, refined

    def warm_up(self, batch: int) -> None:
        pass

    def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
        step(0, 1)
        return [self.painted[each.seed] for each in commissions]

    def refine(
        self, commissions: Sequence[Commission], drafts: Sequence[Pixels], *, step: Step
    ) -> list[Pixels]:
        return [self.refined for _ in drafts]


@pytest.fixture(
    scope="module",
    params=[
        "synthetic",
        pytest.param(
            "real",
            marks=pytest.mark.skipif(not ARCFACE_WEIGHTS.exists(), reason="no test weights"),
        ),
    ],
)
def recogniser(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    if request.param == "real":
        return Recogniser.load(ARCFACE_WEIGHTS)
    return Recogniser.load(synthetic.recogniser(tmp_path_factory.mktemp("model") / "r.onnx"))


@pytest.fixture(scope="module")
def people() -> dict[str, Selfie]:
    return {
        name: admit(decode(portrait(name).read_bytes())) for name in ("obama", "jemison", "hopper")
    }


@pytest.fixture(scope="module")
def hung(people: dict[str, Selfie]) -> dict[str, Pixels]:
    """Each one's photo about the face, as a picture of 4 : 5 in the painter's frame."""
    return {name: _framed(selfie) for name, selfie in people.items()}


def _framed(selfie: Selfie) -> Pixels:
    mesh = selfie.faces[0].mesh[:, :2]
    across = 2 * float(np.ptp(mesh[:, 1]))
    wide, high = round(across * 0.8), round(across)
    left, top = (mesh.mean(axis=0) - (wide / 2, high / 2)).round().astype(int)
    around = max(wide, high)
    photo = np.pad(selfie.pixels, ((around, around), (around, around), (0, 0)), mode="edge")
    part = photo[top + around : top + around + high, left + around : left + around + wide]
    return frame.extended(part, width_px=SIDE_PX, height_px=SIDE_PX)


def made(
    painter: Gallery, recogniser: Recogniser, sculptor: Any, *orders: Order
) -> list[Candidate]:
    """The one candidate of each order."""
    engine = KleinEngine(Workshop(batch=4), painter, recogniser)
    engine._sculptor = sculptor
    candidates = []
    for each in engine.generate_many(orders):
        assert isinstance(each, list), each
        candidates += each
    return candidates


def test_likest_of_the_candidates_is_the_sitter(
    recogniser: Recogniser, sculptor: Any, people: dict[str, Selfie], hung: dict[str, Pixels]
) -> None:
    seeds = gate.seeds(1, 4)
    painter = Gallery(
        dict(zip(seeds, [hung["hopper"], GREY, hung["obama"], hung["jemison"]], strict=True))
    )
    recipe = replace(RECIPE, options={"likeness": 0.5, "candidates": 4})
    (kept,) = made(painter, recogniser, sculptor, Order(people["obama"], recipe, (1,)))
    assert np.array_equal(kept.still, frame.cut(hung["obama"]))
    assert kept.likeness is not None
    assert kept.likeness > 0.9
    assert kept.marks == ()


def test_two_people_of_a_pass_are_measured_against_their_own_selfies(
    recogniser: Recogniser, sculptor: Any, people: dict[str, Selfie], hung: dict[str, Pixels]
) -> None:
    orders = [Order(people["obama"], RECIPE, (1,)), Order(people["jemison"], RECIPE, (2,))]
    right = made(Gallery({1: hung["obama"], 2: hung["jemison"]}), recogniser, sculptor, *orders)
    swapped = made(
        Gallery({1: hung["jemison"], 2: hung["obama"]}, hung["hopper"]),
        recogniser,
        sculptor,
        *orders,
    )
    for own, others in zip(right, swapped, strict=True):
        assert own.likeness is not None
        assert others.likeness is not None
        assert own.likeness > 0.9 > others.likeness


def test_somebody_elses_face_is_painted_again(
    recogniser: Recogniser, sculptor: Any, people: dict[str, Selfie], hung: dict[str, Pixels]
) -> None:
    recipe = replace(RECIPE, options={"likeness": 0.9})
    painter = Gallery({1: hung["hopper"]}, refined=hung["obama"])
    (kept,) = made(painter, recogniser, sculptor, Order(people["obama"], recipe, (1,)))
    assert np.array_equal(kept.still, frame.cut(hung["obama"]))
    assert kept.marks == ()


def test_somebody_elses_face_that_stays_is_marked(
    recogniser: Recogniser, sculptor: Any, people: dict[str, Selfie], hung: dict[str, Pixels]
) -> None:
    recipe = replace(RECIPE, options={"likeness": 0.9})
    painter = Gallery({1: hung["hopper"]}, refined=hung["jemison"])
    (kept,) = made(painter, recogniser, sculptor, Order(people["obama"], recipe, (1,)))
    assert kept.marks == (marks.UNLIKE,)


def test_picture_without_a_face_is_painted_from_another_seed(
    recogniser: Recogniser, sculptor: Any, people: dict[str, Selfie], hung: dict[str, Pixels]
) -> None:
    (other,) = gate.seeds(1, 1, again=True)
    painter = Gallery({1: GREY, other: hung["obama"]})
    (kept,) = made(painter, recogniser, sculptor, Order(people["obama"], RECIPE, (1,)))
    assert np.array_equal(kept.still, frame.cut(hung["obama"]))
    (kept,) = made(
        Gallery({1: GREY, other: GREY}), recogniser, sculptor, Order(people["obama"], RECIPE, (1,))
    )
    assert (kept.likeness, kept.marks) == (None, (marks.NO_FACE_IN_FIGURINE,))
