"""Where figurines stand: shapes, places, seams, drift."""

from __future__ import annotations

import itertools

import pytest
from playwright.sync_api import Page

from tests.billboard.player import run


def test_figurine_stands_on_the_floor_in_the_middle(page: Page) -> None:
    body = """
        const data = new Uint8ClampedArray(10 * 20 * 4);
        for (let y = 5; y < 15; y += 1) {
            for (let x = 6; x < 9; x += 1) data[(y * 10 + x) * 4 + 3] = 255;
        }
        const solid = m.solidBox(data, 10, 20);
        return [solid, m.stand(solid, 0.5, {width: 100, height: 200})];
    """
    solid, place = run(page, "bounds", body)
    assert solid == pytest.approx({"left": 0.6, "top": 0.25, "width": 0.3, "height": 0.5})
    # As high as the area allows: the solid half of the height become 200.
    assert place == pytest.approx({"left": -100, "top": -100, "width": 200, "height": 400})


def test_empty_picture_is_taken_whole(page: Page) -> None:
    body = "return m.solidBox(new Uint8ClampedArray(16), 2, 2);"
    assert run(page, "bounds", body) == {"left": 0, "top": 0, "width": 1, "height": 1}


@pytest.mark.parametrize(
    ("widths", "width", "height", "lines", "size"),
    [
        ([3, 2, 3, 4], 8, 2, [[0, 1], [2, 3]], 1.0),
        ([3, 2, 3, 4], 15, 1, [[0, 1, 2, 3]], 1.0),
        ([3, 2, 3, 4], 4, 4, [[0], [1], [2], [3]], 1.0),
        ([1, 2, 1], 3, 6, [[0], [1], [2]], 1.5),
        ([5], 5, 9, [[0]], 1.0),
    ],
)
def test_headline_is_broken_so_that_it_is_largest(
    page: Page, widths: list[int], width: int, height: int, lines: list[list[int]], size: float
) -> None:
    body = "return m.arrange(g[0], {width: g[1], height: g[2], lineHeight: 1, space: 1});"
    found = run(page, "headline", body, widths, width, height)
    assert (found["lines"], found["size"]) == (lines, pytest.approx(size))


SHAPES = ((2368, 10048, "tower"), (3840, 1080, "ribbon"), (1080, 1920, "totem"))
AREA = {"width": 960, "height": 2700}


@pytest.mark.parametrize(("width", "height", "expected"), [*SHAPES, (1920, 1080, "landscape")])
def test_shape_of_a_screen(page: Page, width: int, height: int, expected: str) -> None:
    assert run(page, "layouts", "return m.shapeOf(g[0], g[1]);", width, height) == expected


def test_layout_of_a_wider_ribbon_has_a_longer_belt(page: Page) -> None:
    body = "return g.map((rem) => m.layoutOf('ribbon', 'ribbon', rem).small.columns);"
    assert run(page, "layouts", body, 32.4, 38.4, 57.6, 400) == [3, 4, 10, 12]


def test_layout_by_the_shape_is_divided_where_the_plan_asks_for_it(page: Page) -> None:
    body = "return g.map((places) => m.layoutOf('auto', 'totem', 10, places).name);"
    assert run(page, "layouts", body, 1, 2, 4, 16) == ["hero", "diptych", "mosaic4", "mosaic16"]
    chosen = "return m.layoutOf('hero', 'totem', 10, 4).name;"
    assert run(page, "layouts", chosen) == "hero"


def test_unknown_layout_goes_by_the_shape(page: Page) -> None:
    body = "return g.map((shape) => m.layoutOf('cinema', shape, 40).name);"
    assert run(page, "layouts", body, "tower", "ribbon") == ["hero", "ribbon"]


@pytest.mark.parametrize("count", [1, 2, 4, 9, 16])
@pytest.mark.parametrize(
    "area", [AREA, {"width": 1200, "height": 980}, {"width": 2600, "height": 980}]
)
@pytest.mark.parametrize("may_lead", [True, False])
def test_cards_are_apart_and_inside_their_area(
    page: Page, count: int, area: dict[str, int], may_lead: bool
) -> None:
    body = "return m.spread(g[0], g[1], {gap: 20, ...m.CELL_CARD, mayLead: g[2]});"
    found = run(page, "layouts", body, count, area, may_lead)
    rects = found["rects"]
    assert len(rects) == count
    assert found["width"] <= area["width"] + 0.01
    assert found["height"] <= area["height"] + 0.01
    for rect in rects:
        assert 0 <= rect["left"] <= found["width"] - rect["width"] + 0.01
        assert 0 <= rect["top"] <= found["height"] - rect["height"] + 0.01
    for one, other in itertools.combinations(rects, 2):
        across = abs(one["left"] - other["left"]) >= min(one["width"], other["width"]) + 19
        down = abs(one["top"] - other["top"]) >= min(one["height"], other["height"]) + 19
        assert across or down


def test_first_of_a_tower_leads(page: Page) -> None:
    body = "return m.spread(9, g[0], {gap: 20, ...m.UPRIGHT_CELL_CARD, mayLead: true}).rects;"
    first, *others = run(page, "layouts", body, AREA)
    assert {round(rect["width"]) for rect in others} == {470}
    assert round(first["width"]) == 960


def test_belt_runs_to_and_fro(page: Page) -> None:
    body = """
        const how = {gap: 0, narrowest: 0.1, widest: 10};
        return m.shelve({columns: 3, rows: 2}, {width: 3, height: 2}, how)
            .map(({left, top}) => [left, top]);
    """
    assert run(page, "layouts", body) == [[0, 0], [1, 0], [2, 0], [2, 1], [1, 1], [0, 1]]


def test_drift_steps_by_single_pixels_and_stays_within(page: Page) -> None:
    body = """
        return Array.from({length: 24 * 60 * 4}, (_, i) => m.drift(i * 15_000, 6))
            .map(({x, y}) => [x, y]);
    """
    path = run(page, "mount", body)
    assert {max(abs(x), abs(y)) for x, y in path} == set(range(7))
    steps = [(abs(a - c), abs(b - d)) for (a, b), (c, d) in itertools.pairwise(path)]
    assert max(max(step) for step in steps) == 1
    assert run(page, "mount", "return m.drift(1234567, 0);") == {"x": 0, "y": 0}


def test_safe_area_is_of_the_panels_pixels_or_the_pictures_part(page: Page) -> None:
    body = "return m.insets(['40px', '3%', '0', '10%'], {width: 1000, height: 500}, 2);"
    assert run(page, "mount", body) == [20, 30, 0, 100]
    assert run(page, "mount", "return m.insets([''], {width: 9, height: 9}, 1);") == [0, 0, 0, 0]


def test_veil_covers_what_brightness_leaves(page: Page) -> None:
    body = "return [m.veil([40, 100], 0), m.veil([40, 100], 1), m.veil([], 7)];"
    assert run(page, "mount", body) == [0.6, 0, 0]


PARTS = [{"left": 45, "right": 55, "top": 10, "bottom": 20, "weight": 1}]
WHOLE = {"width": 100, "height": 100}


def test_picture_steps_aside_of_a_seam_no_farther_than_it_must(page: Page) -> None:
    body = """
        const hidden = {across: m.seams(2, 100, 2), down: m.seams(1, 100, 2)};
        const {scale, x, y} = m.clear(g[0], g[1], hidden);
        const [left, right] = [45 * scale + x, 55 * scale + x];
        return [scale, left >= 51 || right <= 49, y];
    """
    scale, is_clear, y = run(page, "seams", body, PARTS, WHOLE)
    assert is_clear
    assert scale == pytest.approx(0.88)
    assert y == pytest.approx(6)


def test_picture_that_no_seam_cuts_stays_as_it_is(page: Page) -> None:
    body = "return m.clear(g[0], g[1], {across: [[56, 58]], down: [[30, 32]]});"
    assert run(page, "seams", body, PARTS, WHOLE) == {"scale": 1, "x": 0, "y": 0}


def test_lighter_part_is_cut_where_one_must_be(page: Page) -> None:
    body = """
        const wall = {left: 0, right: 100, top: 0, bottom: 5, weight: 1};
        const hidden = {across: m.seams(2, 100, 2), down: []};
        const heavy = g[0].map((part) => ({...part, weight: 9}));
        const {scale, x} = m.clear([...heavy, wall], g[1], hidden);
        return 45 * scale + x >= 51 || 55 * scale + x <= 49;
    """
    assert run(page, "seams", body, PARTS, WHOLE) is True


@pytest.mark.parametrize(
    ("strips", "expected"),
    [
        ([], [0, 100]),
        ([[40, 44]], [44, 100]),
        ([[60, 64], [20, 22]], [22, 60]),
        ([[-5, 2], [98, 130]], [2, 98]),
        ([[-5, 130]], [0, 100]),
    ],
)
def test_longest_part_beside_seams(
    page: Page, strips: list[list[int]], expected: list[int]
) -> None:
    assert run(page, "seams", "return m.longest(100, g[0]);", strips) == expected


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], [2.0, 0, 0]),
        ([[40, 52, 78, 90]], [2.0, 7, 0]),  # beside what stands in its way
        ([[0, 100, 96, 100]], [2.0, 0, -4]),
        ([[0, 50, 0, 100], [60, 100, 0, 100]], None),
    ],
)
def test_code_is_as_large_as_its_panel_has_room_and_near_to_where_it_was(
    page: Page, others: list[list[int]], expected: list[float] | None
) -> None:
    body = """
        const sides = ([left, right, top, bottom]) => ({left, right, top, bottom});
        const strips = [[48, 52]];
        const [top, bottom] = m.around(100, strips, [80, 90]);
        const panel = {left: 0, right: 100, top, bottom};
        const scale = {most: 2, least: 1};
        const found = m.enlarge(sides([50, 60, 80, 90]), scale, panel, g[0].map(sides));
        return found && [found.scale, found.x, found.y];
    """
    assert run(page, "seams", body, others) == (expected and pytest.approx(expected, abs=2.5))


@pytest.mark.parametrize(
    ("strips", "headline", "bottom"),
    [
        ([], [0, 70], 90),
        ([[74, 76]], [0, 74], 98),  # below the seam, in the middle of what is left
        ([[84, 86]], [0, 64], 84),  # no room below: above it
        ([[28, 30]], [30, 70], 90),  # a headline of more than half its height is large still
        ([[35, 37]], [0, 70], 90),
    ],
)
def test_small_print_is_under_no_seam_and_the_headline_if_it_stays_large(
    page: Page, strips: list[list[int]], headline: list[int], bottom: int
) -> None:
    body = "return m.stack({height: 100, print: 20, foot: 10}, g[0]);"
    found = run(page, "seams", body, strips)
    assert found == {"headline": headline, "bottom": bottom}


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        (0, "translate(-960px, 0px)"),
        (90, "translate(1920px, 0) rotate(90deg) translate(-540px, 0px)"),
    ],
)
def test_picture_over_displays_is_moved_so_that_each_shows_its_part(
    page: Page, rotation: int, expected: str
) -> None:
    body = """
        const [rotation, left, across] = g;
        const display = m.upright({width: 1920, height: 1080}, rotation);
        return m.spanned(display, {width: 4 * across, height: 100, window: [left, 0, across, 50]});
    """
    shown = run(page, "mount", body, rotation, 500, 1000)
    assert shown["transform"] == expected
    assert shown["width"] == pytest.approx(4 * (1080 if rotation else 1920))
