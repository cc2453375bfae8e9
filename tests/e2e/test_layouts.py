"""Every layout on every shape of screen, in a real Chromium, as a picture and as boxes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from billboard import commands, feed, pairing
from billboard.models import CommandKind, Layout, Play, Screen
from campaign.models import Campaign
from tests.billboard.rows import approved, recall
from tests.browser import chromium
from tests.e2e.conftest import Aside
from tests.stack import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = {
    "tower, a quarter of 2368x10048": (592, 2512),
    "ribbon, half of 3840x1080": (1920, 540),
    "totem, half of 1080x1920": (540, 960),
    "landscape, half of 1920x1080": (960, 540),
}
"""The same pictures as at full size: all lengths are parts of the screen's."""
PLACES = {"hero": 1, "diptych": 2, "mosaic4": 4, "mosaic9": 9, "mosaic16": 16, "ribbon": 1}
NAMES = ("MAE", "BARTHOLOMEW THE VERY LONG", "", "ÉLOÏSE", "김하늘", "ليلى", "ДАРЬЯ", "さくら")
LANGUAGES = [
    {"lang": "ko", "headline": "상자 속으로.", "strapline": "셀카 한 장이면 당신도 여기에."},
    {"lang": "ja", "headline": "箱に入ろう。", "scan": "スキャンして入隊", "enlisted": "{}人入隊"},
    {"lang": "ar", "headline": "ادخل إلى الصندوق", "strapline": "صورة واحدة وتصبح هنا."},
    {"lang": "ru", "headline": "Полезай в коробку.", "scan": "Сканируй и вступай"},
]
SHOWN_MS = 15_000

Open = Callable[..., Page]

FAULTS = """([top, right, bottom, left]) => {
    const seen = (node) => node.getClientRects().length > 0
        && getComputedStyle(node).visibility === 'visible' && !node.closest('[hidden]');
    const find = (...names) => [...document.querySelectorAll(names)].filter(seen);
    const told = (node) => `${node.className || node.tagName} of ${node.textContent.trim()}`;
    const isTurned = document.body.dataset.rotation % 180 !== 0;
    const faults = [];
    for (const node of find('.headline', '.strapline', '.count', '.caption', '.name span',
            '.brand span', '.place', '.shelf .card', '.enlist', '.disclosure')) {
        const texts = document.createRange();
        texts.selectNodeContents(node);
        const boxes = [node.getBoundingClientRect(), ...texts.getClientRects()];
        for (const box of node.matches('.place, .card') ? boxes.slice(0, 1) : boxes) {
            // A line of text reaches higher and lower than its letters do.
            const isBox = box === boxes[0];
            const isWide = box.left < left - 1 || box.right > innerWidth - right + 1;
            const isHigh = box.top < top - 1 || box.bottom > innerHeight - bottom + 1;
            if (((isBox || !isTurned) && isWide) || ((isBox || isTurned) && isHigh))
                faults.push(`${told(node)} is outside`);
        }
        const frame = node.closest('.name, .brand')
            ?? (node.matches('.caption') ? node.parentElement : null);
        if (frame) {
            const outer = frame.getBoundingClientRect();
            const [from, to] = isTurned ? ['top', 'bottom'] : ['left', 'right'];
            if (boxes.some((box) => box[from] < outer[from] - 1 || box[to] > outer[to] + 1))
                faults.push(`${told(node)} does not fit`);
        }
    }
    const apart = find('.place', '.shelf .card', '.enlist', '.disclosure',
        '.language.is-told .headline', '.language.is-told .strapline', '.language.is-told .count');
    apart.forEach((one, i) => apart.slice(i + 1).forEach((other) => {
        const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
        const isSameCell = one.dataset.cell && one.dataset.cell === other.dataset.cell;
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (!isSameCell && across > 1 && down > 1)
            faults.push(`${told(one)} lies on ${told(other)}`);
    }));
    return faults;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_screen(campaign: Campaign, browser: Browser, address: str) -> Iterator[Open]:
    """Opens a screen that is set up so; fails on any error that its page logs."""
    complaints: list[str] = []
    contexts = []
    campaign.slot_s = 60  # nothing moves while it is measured
    campaign.strapline = "One selfie. A few seconds. You, in plastic, up here."
    campaign.save()

    def opened(
        *, size: tuple[int, int] = (960, 540), at: datetime | None = None, **fields: Any
    ) -> Page:
        key = pairing.issue_token(Screen(campaign=campaign, name="Broadway 1", **fields))
        context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if at:
            page.clock.set_fixed_time(at)
        page.goto(f"{address}/screen/#key={key}")
        page.wait_for_selector('html[data-socket="open"]')
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def taken(page: Page, count: int) -> None:
    """Wait until so many places show somebody, and the shelf is as full as it gets."""
    page.wait_for_function(
        "count => document.querySelectorAll('.place[data-is=taken]').length === count",
        arg=count,
        timeout=SHOWN_MS,
    )


def settled(page: Page) -> NDArray[np.uint8]:
    """The page as drawn once nothing on it moves any more: (H, W, 3)."""
    page.evaluate(
        """() => Promise.all([document.fonts.ready,
            ...document.getAnimations().map((each) => { each.finish(); return each.finished; })])"""
    )
    with Image.open(io.BytesIO(page.screenshot())) as image:
        return np.asarray(image.convert("RGB"))


def decode(pixels: NDArray[np.uint8]) -> tuple[str, NDArray[np.float32]]:
    """What the code says, and its corners, from its own upper left clockwise.

    As a camera does that comes nearer: the detector misses a sharp code at one size or another.
    """
    for nearer in (1.0, 1.3, 0.7):
        seen = cv2.resize(pixels[..., ::-1], None, fx=nearer, fy=nearer)
        said, corners, _ = cv2.QRCodeDetectorAruco().detectAndDecode(seen)
        if said:
            return said, corners[0] / nearer
    raise AssertionError("no code is found in the picture")


@pytest.mark.parametrize("layout", PLACES)
def test_layout_at_every_resolution(
    campaign: Campaign, open_screen: Open, aside: Aside, address: str, layout: str
) -> None:
    for n in range(18):
        aside(approved, campaign, plaque=NAMES[n % len(NAMES)])
    page = open_screen(layout=layout, words=LANGUAGES)
    taken(page, PLACES[layout])
    on = page.locator('.place .card[data-state="on"]')
    assert len({card.get_attribute("data-submission") for card in on.all()}) == PLACES[layout]
    faults: list[str] = []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(f"() => document.documentElement.dataset.shape === '{shape(size)}'")
        pixels = settled(page)
        said, corners = decode(pixels)
        edge_px = float(np.linalg.norm(corners[0] - corners[1]))
        if said != f"{address}/c/demo/":
            faults.append(f"{size}: the code says {said}")
        if edge_px < 0.2 * min(width, height):
            faults.append(f"{size}: the code is {edge_px:.0f} px")
        faults += [f"{size}: {fault}" for fault in page.evaluate(FAULTS, [0, 0, 0, 0])]
    assert "\n".join(faults) == ""


def shape(size: str) -> str:
    return size.split(",")[0]


@pytest.mark.parametrize(
    ("size", "expected"),
    [("tower", "hero"), ("ribbon", "ribbon"), ("totem", "hero"), ("landscape", "hero")],
)
def test_layout_goes_by_the_shape_when_nobody_chose(
    open_screen: Open, size: str, expected: str
) -> None:
    page = open_screen(size=next(px for name, px in SIZES.items() if shape(name) == size))
    root = page.locator("html")
    assert root.get_attribute("data-shape") == size
    assert root.get_attribute("data-layout") == expected


def test_landscape_hero_is_read_from_afar(
    campaign: Campaign, open_screen: Open, aside: Aside
) -> None:
    aside(approved, campaign, plaque="MAE", colour="#a0283c")
    page = open_screen(layout=Layout.HERO)
    taken(page, 1)
    pixels = settled(page)
    away = np.abs(pixels[:, :450].astype(int) - np.array((160, 40, 60))).max(axis=2)
    rows = np.flatnonzero((away < 24).sum(axis=1) > 2)
    assert (rows[-1] - rows[0]) / 540 >= 0.55
    name = page.locator('.hero [data-state="on"] .name span').bounding_box()
    assert name is not None
    assert name["height"] / 540 >= 0.06


def test_name_of_any_script_is_in_the_middle_of_its_plate(
    campaign: Campaign, open_screen: Open, aside: Aside
) -> None:
    """As it is drawn: accents reach over capitals, and many scripts under the line."""
    for plaque in ("MAE", "ÉLOÏSE", "ليلى", "ДАРЬЯ"):
        aside(approved, campaign, plaque=plaque)
    # As large as it hangs, where a pixel is little, and with no drift between look and picture.
    page = open_screen(size=(1920, 1080), layout=Layout.MOSAIC4, drift_px=0)
    taken(page, 4)
    pixels = settled(page)
    faults = []
    for plate in page.locator('.place [data-state="on"] .name').all():
        box = plate.bounding_box()
        assert box is not None
        left, top, width, height = (round(box[side]) for side in ("x", "y", "width", "height"))
        drawn = pixels[top : top + height, left + width // 8 : left + width - width // 8]
        rows = np.flatnonzero((drawn.min(axis=2) > 128).any(axis=1)) / height
        above, below = rows[0], 1 - rows[-1]
        if abs(above - below) > 0.1 or min(above, below) < 0.03:
            faults.append(f"{plate.inner_text()}: {above:.2f} above, {below:.2f} below")
    assert faults == []


def test_long_name_is_in_two_lines_where_that_is_larger(
    campaign: Campaign, open_screen: Open, aside: Aside
) -> None:
    for plaque in ("BARTHOLOMEW THE VERY LONG", "MAE THE 1ST"):
        aside(approved, campaign, plaque=plaque)
    page = open_screen(layout=Layout.MOSAIC9)
    taken(page, 2)
    settled(page)
    names = page.locator('.place [data-state="on"] .name span').evaluate_all(
        """names => names.map(({textContent, style}) =>
            [textContent, Number(style.getPropertyValue('--fit'))])"""
    )
    said = dict(names)
    assert set(said) == {"BARTHOLOMEW\nTHE VERY LONG", "MAE THE 1ST"}
    assert said["BARTHOLOMEW\nTHE VERY LONG"] > 0.55
    assert page.evaluate(FAULTS, [0, 0, 0, 0]) == []


def test_long_name_of_a_script_without_spaces_is_in_two_lines(
    campaign: Campaign, open_screen: Open, aside: Aside
) -> None:
    """Broken where its print may be, and not before what belongs to the letter before."""
    lines = (
        "さくらももこちゃ\nんだいすきですよ",
        "アレクサンドラ・\nクリスティーナ",
        "김수한무거북이와\n두루미삼천갑자동",
        "歐陽上官司馬諸\n葛東方獨孤令狐",
        "ヴィクトリアー\nナデシコヒメ",
        "さくら",
    )
    for said in lines:
        aside(approved, campaign, plaque=said.replace("\n", ""))
    page = open_screen(layout=Layout.MOSAIC9)
    taken(page, len(lines))
    settled(page)
    names = page.locator('.place [data-state="on"] .name span').evaluate_all(
        """names => names.map(({textContent, style}) =>
            [textContent, Number(style.getPropertyValue('--fit'))])"""
    )
    assert {name for name, _ in names} == set(lines)
    assert [name for name, size in names if size < 0.5] == []
    page.set_viewport_size({"width": 1920, "height": 540})  # fitted anew, from the whole name
    settled(page)
    again = page.locator('.place [data-state="on"] .name span').all_text_contents()
    assert {name.replace("\n", "") for name in again} == {said.replace("\n", "") for said in lines}
    assert page.evaluate(FAULTS, [0, 0, 0, 0]) == []


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_turned_screen_shows_the_picture_upright_to_whoever_stands_before_it(
    campaign: Campaign, open_screen: Open, aside: Aside, rotation: int
) -> None:
    aside(approved, campaign)
    page = open_screen(rotation=rotation, safe_area="4% 3% 20px")
    taken(page, 1)
    upright: NDArray[np.uint8] = np.rot90(settled(page), rotation // 90)
    assert upright.shape[:2] == ((540, 960) if rotation == 180 else (960, 540))
    _, (first, second, _, fourth) = decode(upright)
    # The code's own upper left corner is up and to the left, as in a picture that is not turned.
    least_px = 0.2 * 540 * 0.9  # of what the frame leaves
    assert second[0] - first[0] >= least_px
    assert fourth[1] - first[1] >= least_px
    # Ground alone where the frame covers it: 4 % above, 3 % at the sides, 20 px below.
    assert page.locator("html").get_attribute("data-shape") == (
        "landscape" if rotation == 180 else "totem"
    )
    height, width = upright.shape[:2]
    top, right, bottom, left = round(0.04 * height), round(0.03 * width), 20, round(0.03 * width)
    drawn = {0: (top, right, bottom, left), 90: (left, top, right, bottom)}
    drawn |= {180: (bottom, left, top, right), 270: (right, bottom, left, top)}
    assert page.evaluate(FAULTS, drawn[rotation]) == []


CUTS = """([columns, rows, bezel]) => {
    const seams = (count, length) => Array.from({length: count - 1}, (_, i) => {
        const middle = (i + 1) * length / count;
        return [middle - bezel / 2 + 0.5, middle + bezel / 2 - 0.5];
    });
    const [across, down] = [seams(columns, innerWidth), seams(rows, innerHeight)];
    const cuts = [];
    const look = (what, {left, right, top, bottom}) => {
        if (across.some(([from, to]) => left < to && right > from)
            || down.some(([from, to]) => top < to && bottom > from)) cuts.push(what);
    };
    const part = (box, {across, from, to}) => {
        const {left, right, top, width, height} = box.getBoundingClientRect();
        const rim = width * (1 - across) / 2;
        const down = {top: top + height * from, bottom: top + height * to};
        return {left: left + rim, right: right - rim, ...down};
    };
    for (const code of document.querySelectorAll('.enlist .qr'))
        look('the code', part(code, {across: 1, from: 0, to: 1}));
    for (const figure of document.querySelectorAll('.place .figure'))
        look('a face', part(figure, {across: 0.26, from: 0.09, to: 0.3})); // a pawn's head
    for (const text of document.querySelectorAll('.strapline, .count, .disclosure, .caption,'
            + ' .card[data-state=on] .name span')) {
        const lines = document.createRange();
        lines.selectNodeContents(text);
        // Letters are not as high as their line.
        for (const {left, right, top, bottom, height} of lines.getClientRects()) {
            const rim = height / 6;
            look(text.textContent, {left, right, top: top + rim, bottom: bottom - rim});
        }
    }
    return cuts;
}"""


@pytest.mark.parametrize(
    ("layout", "panels"),
    [("hero", (2, 2)), ("hero", (3, 3)), ("mosaic9", (3, 3)), ("diptych", (3, 3))],
)
def test_no_seam_of_a_wall_cuts_the_code_a_face_a_name_or_small_print(
    campaign: Campaign, open_screen: Open, aside: Aside, layout: str, panels: tuple[int, int]
) -> None:
    for n in range(PLACES[layout] + 3):
        aside(approved, campaign, plaque=NAMES[n % len(NAMES)])
    wall = {"panels_across": panels[0], "panels_down": panels[1]}
    wall |= {"bezel_px": 24, "drift_px": 0}
    # As large as it hangs: whole pixels of a bezel.
    page = open_screen(size=(1920, 1080), layout=layout, words=LANGUAGES, **wall)
    taken(page, PLACES[layout])
    decode(settled(page))
    code = page.locator(".enlist .qr").bounding_box()
    assert code and code["width"] >= 0.22 * 1080, "with its quiet zone, from the street"
    assert page.evaluate(CUTS, [*panels, 24]) == []
    assert page.evaluate(FAULTS, [0, 0, 0, 0]) == []


def test_recall_empties_its_cell_in_one_frame(
    campaign: Campaign, open_screen: Open, aside: Aside
) -> None:
    four = [aside(approved, campaign, plaque=f"N{n}") for n in range(4)]
    page = open_screen(layout=Layout.MOSAIC4)
    taken(page, 4)
    page.evaluate(
        """gone => {
            const seen = globalThis.seen = [];
            const look = () => {
                const cards = document.querySelectorAll('.place .card[data-submission]');
                const isUp = [...cards].some(({dataset}) => dataset.submission === gone);
                seen.push([document.documentElement.dataset.seq, isUp, cards.length]);
                requestAnimationFrame(look);
            };
            look();
        }""",
        str(four[1].pk),
    )
    before = str(feed.head(campaign.pk).seq)
    aside(recall, four[1])
    after = str(feed.head(campaign.pk).seq)
    page.wait_for_function("seq => globalThis.seen.at(-1)[0] === seq", arg=after, timeout=SHOWN_MS)
    frames = page.evaluate("() => globalThis.seen")
    assert {tuple(frame) for frame in frames} == {(before, True, 4), (after, False, 3)}
    assert page.locator(".place[data-is=empty]").count() == 1


HOLD = """() => {
    const start = document.startViewTransition.bind(document);
    document.startViewTransition = (change) => {
        const made = start(change);
        made.ready.then(() => setTimeout(() => {
            document.getAnimations().forEach((each) => each.pause());
            document.documentElement.dataset.held = '';
        }));
        return made;
    };
}"""
MOVING = """() => [...new Set(document.getAnimations()
    .filter(({effect}) => effect.pseudoElement?.startsWith('::view-transition'))
    .flatMap(({effect}) => effect.getKeyframes().flatMap(Object.keys)))]
    .filter((each) => !['offset', 'computedOffset', 'easing', 'composite'].includes(each)).sort()"""


def test_change_of_layout_moves_by_transform_and_opacity_and_ends_with_a_recall(
    campaign: Campaign, open_screen: Open, aside: Aside
) -> None:
    """Held in its middle, it shows the page of before; whoever is recalled is not to stay in it."""
    people = [aside(approved, campaign, plaque=f"N{n}") for n in range(4)]
    page = open_screen(layout=Layout.HERO)
    taken(page, 1)
    page.evaluate(HOLD)
    screen = Screen.objects.get()
    aside(commands.ask, [screen], CommandKind.LAYOUT, value=Layout.MOSAIC4)
    page.wait_for_selector("html[data-held]", timeout=SHOWN_MS)
    assert page.evaluate(MOVING) == ["mixBlendMode", "opacity", "transform"]
    on = page.locator("html").get_attribute("data-hero")
    assert page.locator("html:active-view-transition").count() == 1
    aside(recall, next(one for one in people if str(one.pk) == on))
    page.wait_for_selector(f'.card[data-submission="{on}"]', state="detached", timeout=SHOWN_MS)
    assert page.locator("html:active-view-transition").count() == 0


def test_every_cell_of_a_mosaic_is_a_play_and_says_how_it_was_placed(
    campaign: Campaign, open_screen: Open, aside: Aside
) -> None:
    people = {aside(approved, campaign).pk for _ in range(4)}
    page = open_screen(layout=Layout.MOSAIC4)
    taken(page, 4)
    wait_until(lambda: Play.objects.count() == 4, within_s=10, what="four plays are on record")
    assert set(Play.objects.values_list("submission", flat=True)) == people
    assert set(Play.objects.values_list("layout", flat=True)) == {"mosaic4"}


def test_screen_dims_by_the_hour_and_wanders_by_pixels(open_screen: Open) -> None:
    night = datetime.fromisoformat("2026-11-26T23:10:00")
    page = open_screen(at=night, brightness="22-6: 40%", drift_px=6)
    dark = settled(page)
    assert page.locator(".veil").evaluate("veil => getComputedStyle(veil).opacity") == "0.6"
    said, corners = decode(dark)
    where = "stage => stage.style.transform"
    at_night = page.locator(".stage").evaluate(where)
    page.clock.set_fixed_time(datetime.fromisoformat("2026-11-27T09:30:00"))
    page.reload()
    page.wait_for_selector('html[data-socket="open"]')
    bright = settled(page)
    assert page.locator(".veil").evaluate("veil => getComputedStyle(veil).opacity") == "0"
    assert dark.mean() == pytest.approx(0.4 * bright.mean(), rel=0.05)
    assert page.locator(".stage").evaluate(where) != at_night
    again, moved = decode(bright)
    assert again == said
    assert np.abs(corners - moved).max() <= 2 * 6 + 1


def test_languages_take_turns(open_screen: Open) -> None:
    page = open_screen(words=LANGUAGES[2:])
    told = page.locator(".language.is-told")
    expect(told.locator(".headline")).to_have_text("Get in the box.")
    page.clock.install()
    page.reload()
    expect(told.locator(".headline")).to_have_text("Get in the box.")
    page.clock.run_for(12_000)
    expect(told.locator(".headline")).to_have_text("ادخل إلى الصندوق")
    assert told.evaluate("words => getComputedStyle(words).direction") == "rtl"
    page.clock.run_for(24_000)
    expect(told.locator(".headline")).to_have_text("Get in the box.")


def test_code_that_the_browser_does_not_take_does_not_keep_the_player_from_its_start(
    campaign: Campaign, open_screen: Open, aside: Aside
) -> None:
    """Rows of before it was refused have some."""
    aside(approved, campaign)
    words = {"lang": "zh-yue", "headline": "入去個盒度。", "enlisted": "{}人"}
    page = open_screen(words=[words])
    taken(page, 1)
    expect(page.locator(".count").nth(1)).to_have_text("1人")
    assert page.locator('[lang="zh-yue"] .headline span').count() > 1


@pytest.mark.parametrize("layout", PLACES)
def test_recruit_stands_in_the_box_of_any_shape(open_screen: Open, layout: str) -> None:
    page = open_screen(layout=layout)
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(f"() => document.documentElement.dataset.shape === '{shape(size)}'")
        outside = page.locator(".recruit").evaluate_all(
            """recruits => recruits.filter((each) => each.checkVisibility()).filter((recruit) => {
                const [one, box] = [recruit, recruit.closest('.blister')]
                    .map((each) => each.getBoundingClientRect());
                return one.left < box.left || one.right > box.right || one.top < box.top;
            }).length"""
        )
        assert (size, outside) == (size, 0)


def test_small_card_that_cannot_be_drawn_keeps_no_other_off_the_shelf(
    campaign: Campaign, open_screen: Open, aside: Aside
) -> None:
    page = open_screen(layout=Layout.HERO)
    aside(approved, campaign, plaque="FIRST")
    taken(page, 1)
    page.evaluate(
        """() => {
            const decode = HTMLImageElement.prototype.decode;
            HTMLImageElement.prototype.decode = function () {
                const isBroken = this.closest('.card').textContent.includes('BROKEN');
                return isBroken ? Promise.reject(new Error('no picture')) : decode.call(this);
            };
        }"""
    )
    for plaque in ("BROKEN", "MAE"):
        aside(approved, campaign, plaque=plaque)
    on_shelf = page.locator('.shelf .card[data-state="on"] .name')
    expect(on_shelf).to_have_text(["MAE"], timeout=SHOWN_MS)


def test_count_is_live(campaign: Campaign, open_screen: Open, aside: Aside) -> None:
    page = open_screen()
    count = page.locator(".count")
    expect(count).to_be_hidden()
    people = [aside(approved, campaign) for _ in range(2)]
    expect(count).to_have_text("2 enlisted", timeout=SHOWN_MS)
    aside(recall, people[0])
    expect(count).to_have_text("1 enlisted", timeout=SHOWN_MS)
