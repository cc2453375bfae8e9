"""Taking more home than the picture, in a real browser: the model, the print file, the clip."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import pytest
import trimesh
from django.utils import timezone
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from campaign import approval, generation, keepsakes, lifecycle
from campaign.enums import KeepsakeKind, RecallReason, SubmissionState
from campaign.models import Campaign, Figurine, Keepsake, Submission
from tests import shelf
from tests.billboard import films
from tests.browser import chromium
from tests.e2e import phone
from tests.moving import MovingEngine

S = SubmissionState
K = KeepsakeKind

LOADED_MS = 90_000
"""A software renderer beside others; a phone takes a second."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(webgl=True) as opened:
        yield opened


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the pages' policy forbade and what broke in them: nothing."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    # Nothing turns by itself: every frame of it would be drawn by the software renderer.
    context = browser.new_context(viewport=phone.SIZE, has_touch=True, reduced_motion="reduce")
    opened = context.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda said: complaints.append(said.text) if "Content Security" in said.text else None,
    )
    yield opened
    context.close()


@pytest.fixture
def up(demo: Campaign) -> Submission:
    """Approved; its selfie and its recipe make the same figurine again."""
    Campaign.objects.update(makes_clips=False)
    submission = shelf.put(demo, plaque="MAE")
    Submission.objects.update(face=shelf.measured())
    Figurine.objects.update(
        recipe={"engine": "sculpt", "kit": "soldier", "finish": "painted", "plaque": "MAE"}
    )
    submission = Submission.objects.get(pk=submission.pk)
    approval.approve(submission, actor=lifecycle.SYSTEM)
    return submission


def at(live_server: LiveServer, submission: Submission, way: str = "") -> str:
    return f"{live_server.url}/s/{submission.token}/{way}"


def drawn(page: Page, *, degrees: int) -> NDArray[np.uint8]:
    """What the viewer has on its canvas from there: (H, W, 4)."""
    told = page.locator("model-viewer").evaluate(
        """async (model, degrees) => {
            model.cameraOrbit = `${degrees}deg 82deg 101%`;
            await model.updateComplete;
            model.jumpCameraToGoal();
            await model.updateComplete;
            for (const _ of [1, 2, 3]) await new Promise(requestAnimationFrame);
            return model.toDataURL("image/png");
        }""",
        degrees,
    )
    with Image.open(io.BytesIO(base64.b64decode(told.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGBA"))


def test_model_is_cast_and_turned(page: Page, live_server: LiveServer, up: Submission) -> None:
    """By the real sculptor from the stored selfie and recipe, to pixels on the phone."""
    page.goto(at(live_server, up))
    page.get_by_role("link", name="Turn it").click()
    page.get_by_role("button", name="Cast it").click()
    expect(page.get_by_text("In the mould")).to_be_visible(timeout=10_000)

    assert keepsakes.run_solid() is True
    page.wait_for_selector(".plinth.is-solid", timeout=LOADED_MS)
    # The canvas has a figurine in it, in many colours, where nothing was before.
    front = drawn(page, degrees=0)
    solid = front[..., 3] > 250
    assert 0.1 < solid.mean() < 0.9
    assert len(np.unique(front[solid][:, :3] >> 3, axis=0)) > 200
    # And it turns: its back is not its front.
    back = drawn(page, degrees=180)
    assert (np.abs(front.astype(int) - back).max(axis=2) > 40).mean() > 0.03


def test_viewer_is_fetched_only_to_show_something(
    page: Page, live_server: LiveServer, up: Submission
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(at(live_server, up))
    page.get_by_role("link", name="Turn it").click()
    expect(page.get_by_role("button", name="Cast it")).to_be_visible()
    assert [url for url in asked if "model-viewer" in url] == []
    assert all(url.startswith(live_server.url) for url in asked)


def test_print_file_is_made_and_saved(page: Page, live_server: LiveServer, up: Submission) -> None:
    page.goto(at(live_server, up, "about-turn/"))
    page.get_by_role("button", name="Print file").click()
    expect(page.get_by_text("Casting your print")).to_be_visible(timeout=10_000)
    assert keepsakes.run_solid() is True
    copy = page.get_by_role("link", name="Keep print file")
    expect(copy).to_be_visible(timeout=15_000)
    with page.expect_download() as saved:
        copy.click()
    assert saved.value.suggested_filename == "diorama-00001-mae.stl"
    solid = trimesh.load_mesh(io.BytesIO(saved.value.path().read_bytes()), file_type="stl")
    assert (solid.is_watertight, solid.body_count) == (True, 1)


def test_selfie_gone_meanwhile_is_told_in_place_of_the_button(
    page: Page, live_server: LiveServer, up: Submission
) -> None:
    page.goto(at(live_server, up, "about-turn/"))
    Submission.objects.update(selfie_purge_at=timezone.now())
    expect(page.get_by_text("Your selfie is deleted already").first).to_be_visible(timeout=15_000)
    expect(page.get_by_role("button")).to_have_count(0)
    assert Keepsake.objects.count() == 0


def test_solids_are_cast_without_scripts(
    browser: Browser, live_server: LiveServer, up: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = browser.new_context(viewport=phone.SIZE, java_script_enabled=False)
    page = context.new_page()
    page.goto(at(live_server, up, "about-turn/"))
    page.get_by_role("button", name="Cast it").click()
    expect(page.get_by_text("In the mould")).to_be_visible()
    monkeypatch.setattr(generation, "engine", lambda name: MovingEngine())
    assert keepsakes.run_solid() is True
    page.reload()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Keep the model").click()
    assert saved.value.suggested_filename == "diorama-00001-mae.glb"
    context.close()


@pytest.mark.parametrize("size", [(320, 568), (390, 844), (740, 360), (1280, 800)])
def test_about_turn_fits_the_window(
    browser: Browser, live_server: LiveServer, up: Submission, size: tuple[int, int]
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.goto(at(live_server, up, "about-turn/"))
    box = page.get_by_role("button", name="Cast it").bounding_box()
    assert box
    assert box["y"] + box["height"] <= size[1]
    assert box["height"] >= 56
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    context.close()


# --- the clip -------------------------------------------------------------------------------------
@pytest.fixture
def lively(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """A phone whose owner likes things to move, and which can share."""
    context = browser.new_context(viewport=phone.SIZE, has_touch=True)
    context.add_init_script(
        """navigator.canShare = () => true;
        navigator.share = async ({files}) => { window.shared = [files[0].name, files[0].type]; };"""
    )
    opened = context.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()


def test_clip_plays_in_place_of_the_picture_and_is_what_is_shared(
    lively: Page, live_server: LiveServer, up: Submission
) -> None:
    page = lively
    page.goto(at(live_server, up))
    expect(page.get_by_role("button", name="Share")).to_be_visible()
    expect(page.get_by_role("link", name="Keep the clip")).to_be_hidden()

    films.store(up)
    film = page.locator(".film[data-is-on]")
    expect(film).to_be_visible(timeout=15_000)
    before = film.evaluate("film => film.currentTime")
    page.wait_for_function(
        "before => document.querySelector('.film').currentTime !== before", arg=before
    )
    page.get_by_role("button", name="Share").click()
    page.wait_for_function("window.shared")
    assert page.evaluate("window.shared") == ["diorama-00001-mae.mp4", "video/mp4"]
    with page.expect_download() as saved:
        page.get_by_role("link", name="Keep the clip").click()
    assert saved.value.suggested_filename == "diorama-00001-mae.mp4"


def test_clip_plays_on_while_the_words_around_it_change(
    lively: Page, live_server: LiveServer, up: Submission
) -> None:
    films.store(up)
    lively.goto(at(live_server, up))
    film = lively.locator(".film[data-is-on]")
    expect(film).to_be_visible(timeout=15_000)
    url = film.evaluate("film => { film.isTheOne = true; return film.src; }")
    Campaign.objects.update(offers_models=False, offers_prints=False)
    lively.evaluate("window.dispatchEvent(new Event('online'))")
    expect(lively.get_by_role("link", name="Turn it")).to_be_hidden(timeout=15_000)
    lively.wait_for_function("() => !document.querySelector('.film').paused")
    assert film.evaluate("film => [film.isTheOne, film.src]") == [True, url]
    assert lively.locator("#share").is_visible()
    before = film.evaluate("film => film.currentTime")
    lively.wait_for_function(
        "before => document.querySelector('.film').currentTime !== before", arg=before
    )


def test_picture_is_shared_where_the_phone_hands_no_film_on(
    lively: Page, live_server: LiveServer, up: Submission
) -> None:
    lively.add_init_script("navigator.canShare = ({files}) => files[0].type.startsWith('image/');")
    films.store(up)
    lively.goto(at(live_server, up))
    lively.get_by_role("button", name="Share").click()
    lively.wait_for_function("window.shared")
    assert lively.evaluate("window.shared") == ["diorama-00001-mae.jpg", "image/jpeg"]


def test_clip_is_gone_from_the_page_with_the_recall(
    lively: Page, live_server: LiveServer, up: Submission
) -> None:
    films.store(up)
    lively.goto(at(live_server, up))
    expect(lively.locator(".film[data-is-on]")).to_be_visible(timeout=15_000)
    approval.recall(up, actor=lifecycle.SYSTEM, reason=RecallReason.PRODUCER)
    expect(lively.get_by_role("heading", name="Back in barracks")).to_be_visible(timeout=15_000)
    expect(lively.locator("video")).to_have_count(0)
    expect(lively.get_by_role("link", name="Keep the clip")).to_be_hidden()


def test_clip_that_does_not_play_leaves_the_picture(
    lively: Page, live_server: LiveServer, up: Submission
) -> None:
    films.store(up, broken=True)
    lively.goto(at(live_server, up))
    expect(lively.locator("video")).to_have_count(0, timeout=15_000)
    expect(lively.locator(".billboard .figurine")).to_be_visible()


def test_clip_stands_still_for_whoever_wants_less_motion(
    page: Page, live_server: LiveServer, up: Submission
) -> None:
    films.store(up)
    page.goto(at(live_server, up))
    expect(page.get_by_role("link", name="Keep the clip")).to_be_visible()
    assert page.locator(".film").evaluate("film => film.paused && !film.src")
