from __future__ import annotations

import pytest

from tests.js.conftest import Ask


@pytest.mark.parametrize(
    ("size", "fitted"),
    [((4000, 3000), (2048, 1536)), ((3000, 4000), (1536, 2048)), ((1080, 1350), (1080, 1350))],
)
def test_fit_bounds_the_long_side(ask: Ask, size: tuple[int, int], fitted: tuple[int, int]) -> None:
    answer = ask("photo", "(m, [w, h]) => m.fit(w, h)", list(size))
    assert answer == {"width": fitted[0], "height": fitted[1]}


@pytest.mark.parametrize(
    ("picture", "box", "part"),
    [
        ((1920, 1080), (346, 452), (547, 0, 827, 1080)),
        ((1080, 1920), (346, 452), (0, 255, 1080, 1411)),
        ((800, 600), (400, 300), (0, 0, 800, 600)),
    ],
)
def test_covered_is_what_the_viewfinder_shows(
    ask: Ask, picture: tuple[int, int], box: tuple[int, int], part: tuple[int, int, int, int]
) -> None:
    script = "(m, [[w, h], [bw, bh]]) => m.covered({width: w, height: h}, {width: bw, height: bh})"
    answer = ask("photo", script, [list(picture), list(box)])
    assert answer == dict(zip(("x", "y", "width", "height"), part, strict=True))


@pytest.mark.parametrize(
    ("kind", "name", "is_heic"),
    [
        ("image/heic", "", True),
        ("image/heif", "a.bin", True),
        ("", "IMG_0001.HEIC", True),
        ("image/jpeg", "heic.jpg", False),
    ],
)
def test_heic_is_known_by_type_or_name(ask: Ask, kind: str, name: str, is_heic: bool) -> None:
    assert ask("photo", "(m, [type, name]) => m.isHeic({type, name})", [kind, name]) is is_heic


def test_luma_weighs_colours_as_eyes_do(ask: Ask) -> None:
    script = "(m, pixels) => Number(m.meanLuma(new Uint8ClampedArray(pixels)).toFixed(3))"
    assert ask("photo", script, [0, 255, 0, 255]) == 0.587
    assert ask("photo", script, [255, 255, 255, 255, 0, 0, 0, 255]) == 0.5
    assert ask("photo", script, []) == 0
