"""A visitor's phone in a real browser: enlist, wait, keep, leave.

The server here speaks http alone, so the waiting page lives on its poll; the walk through the whole
product has the sockets.
"""

from __future__ import annotations

import io
import re
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from campaign import approval, lifecycle, screening
from campaign.consent import text_sha256
from campaign.enums import RecallReason, RejectReason, SubmissionState
from campaign.models import Campaign, EntryPoint, Figurine, GenerationJob, Submission
from figurine.bounds import MAX_BYTES
from figurine.errors import TooLarge
from tests.e2e import phone
from tests.e2e.phone import (
    ENLIST,
    THATS_ME,
    agree,
    choose,
    is_waiting_page,
    me,
    photo,
    pick_finish,
    pick_kit,
    send,
)
from tests.photos import portrait

S = SubmissionState


def test_consent_is_asked_before_the_camera(page: Page, intake_url: str) -> None:
    page.goto(intake_url)
    page.get_by_role("button", name=ENLIST).click()
    expect(page.get_by_role("alert").first).to_contain_text("Tick the box first")
    expect(page.get_by_role("heading", name="Face front, recruit")).to_be_hidden()
    agree(page)
    expect(page.get_by_role("heading", name="Face front, recruit")).to_be_focused()


def test_live_camera_makes_a_submission(page: Page, intake_url: str, demo: Campaign) -> None:
    square = EntryPoint.objects.create(campaign=demo, code="square", label="Square")
    page.goto(f"{intake_url}?e=square")
    agree(page)
    expect(page.get_by_text("Face in the oval.")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Take it").click()
    page.get_by_label("Name on the box").fill("Mae")
    pick_kit(page)
    pick_finish(page, "Army green")
    page.get_by_role("button", name="Make me plastic").click()
    is_waiting_page(page)
    submission = Submission.objects.get()
    assert (submission.plaque, submission.finish) == ("MAE", "army-green")
    assert submission.entry_point == square
    assert submission.consent.text_sha256 == text_sha256(demo.terms)
    assert len(submission.device_hash) == 64


@pytest.mark.parametrize(
    ("name", "why", "label", "capture"),
    [
        ("NotAllowedError", "The camera is off for this page.", "Open the camera", "user"),
        ("NotReadableError", "Another app is using the camera.", "Open the camera", "user"),
        ("NotFoundError", "No camera here.", "Choose a photo", None),
    ],
)
def test_page_without_a_live_camera_offers_another_way(
    page: Page, intake_url: str, name: str, why: str, label: str, capture: str | None
) -> None:
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => "
        f"Promise.reject(new DOMException('', '{name}'))"
    )
    page.goto(intake_url)
    agree(page)
    expect(page.get_by_text(why)).to_be_visible()
    own = page.locator("#own-camera")
    expect(own.get_by_text(label)).to_be_visible()
    assert own.locator("input").get_attribute("capture") == capture
    own.locator("input").set_input_files([me()])
    send(page)
    is_waiting_page(page)
    assert Submission.objects.count() == 1


def test_insecure_page_says_why_the_camera_is_shut(page: Page, intake_url: str) -> None:
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.goto(intake_url)
    agree(page)
    expect(page.get_by_text("The live camera needs a secure page.")).to_be_visible()
    expect(page.get_by_text("Open the camera")).to_be_visible()


def test_big_photo_is_made_light_and_upright_before_it_leaves(page: Page, intake_url: str) -> None:
    with Image.open(portrait()) as image:
        lying = image.convert("RGB").resize((3000, 4000)).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side, to be turned clockwise
    sent: list[bytes] = []

    def read(route: Route) -> None:
        head = f"Content-Type: {route.request.headers['content-type']}\r\n\r\n".encode()
        parts = message_from_bytes(head + (route.request.post_data_buffer or b""))
        sent.extend(
            bytes(part.get_payload(decode=True))
            for part in parts.walk()
            if part.get_param("name", header="content-disposition") == "photo"
        )
        route.continue_()

    page.route("**/submit/", read)
    page.goto(intake_url)
    agree(page)
    choose(page, photo(lying, quality=95, exif=exif))
    send(page)
    is_waiting_page(page)
    with Image.open(io.BytesIO(sent[0])) as received:
        assert (received.format, received.size) == ("JPEG", (1536, 2048))
        assert received.getexif().get(0x0112) is None


def test_heic_goes_as_it_is(page: Page, intake_url: str, demo: Campaign) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    out = io.BytesIO()
    with Image.open(portrait()) as image:
        pillow_heif.from_pillow(image.convert("RGB")).save(out, quality=90)
    page.goto(intake_url)
    agree(page)
    choose(page, {"name": "IMG.HEIC", "mimeType": "image/heic", "buffer": out.getvalue()})
    expect(page.get_by_text("This browser cannot show its kind; we can.")).to_be_visible()
    send(page)
    is_waiting_page(page)
    assert Submission.objects.count() == 1


def test_refusal_is_shown_over_the_photo_with_a_way_on(page: Page, intake_url: str) -> None:
    page.goto(intake_url)
    agree(page)
    choose(page, photo(Image.new("RGB", (800, 1000), (4, 4, 5))))
    send(page)
    expect(page.get_by_role("heading", name="As you were")).to_be_visible(timeout=20_000)
    expect(page.locator("#verdict")).to_contain_text("Too dark to see you.")
    expect(page.locator("#verdict")).to_contain_text("Turn towards the light")
    page.get_by_role("button", name="Take another").click()
    expect(page.get_by_role("heading", name="Face front, recruit")).to_be_visible()
    assert Submission.objects.count() == 0


def test_photo_too_heavy_is_refused_before_a_kit_is_picked(page: Page, intake_url: str) -> None:
    page.goto(intake_url)
    agree(page)
    heavy = bytes(MAX_BYTES + 1)  # of a kind that the browser cannot make light
    choose(page, {"name": "IMG.DNG", "mimeType": "image/x-adobe-dng", "buffer": heavy})
    expect(page.locator("#verdict")).to_contain_text(TooLarge.sentence)
    expect(page.locator("#verdict")).to_contain_text(TooLarge.advice)
    expect(page.get_by_role("button", name=THATS_ME)).to_be_hidden()
    another = page.get_by_role("button", name="Take another")
    expect(another).to_be_focused()
    another.click()
    choose(page, me())
    send(page)
    is_waiting_page(page)
    assert Submission.objects.count() == 1


@pytest.mark.parametrize("name", ["★★★", "MAE 🎉"])
def test_name_that_nobody_engraves_is_changed_without_a_new_photo(
    page: Page, intake_url: str, name: str
) -> None:
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    page.get_by_label("Name on the box").fill(name)
    send(page)
    expect(page.locator("#verdict")).to_contain_text("We cannot engrave that name.", timeout=20_000)
    expect(page.locator("#verdict")).to_contain_text("no emoji")
    page.get_by_role("button", name="Change the name").click()
    expect(page.get_by_label("Name on the box")).to_be_focused()
    page.get_by_label("Name on the box").fill("Mae")
    send(page)
    is_waiting_page(page)
    assert Submission.objects.get().plaque == "MAE"


def test_lost_answer_is_asked_for_again_and_makes_one_submission(
    page: Page, intake_url: str
) -> None:
    seen: list[str] = []

    def lose_the_first(route: Route) -> None:
        seen.append("request")
        if len(seen) == 1:
            route.fetch()  # it reaches the server; the answer does not come back
            route.abort()
        else:
            route.continue_()

    page.route("**/submit/", lose_the_first)
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    send(page)
    expect(page.get_by_text("Your photo is safe on this phone.")).to_be_visible(timeout=20_000)
    is_waiting_page(page)
    assert len(seen) == 2
    assert Submission.objects.count() == 1


def test_next_selfie_after_a_lost_answer_is_a_submission_of_its_own(
    page: Page, intake_url: str
) -> None:
    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/submit/", lose)
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    page.get_by_label("Name on the box").fill("Mae")
    send(page)
    expect(page.get_by_text("Your photo is safe on this phone.")).to_be_visible(timeout=20_000)
    page.unroute("**/submit/")
    page.goto(intake_url)
    expect(page.get_by_role("link", name="Your figurine MAE")).to_be_visible()
    agree(page)
    choose(page, me())
    page.get_by_label("Name on the box").fill("Sally")
    send(page)
    is_waiting_page(page)
    expect(page.locator(".nameplate")).to_have_text("SALLY")
    assert sorted(Submission.objects.values_list("plaque", flat=True)) == ["MAE", "SALLY"]


def test_server_that_goes_on_failing_is_told_with_two_ways_on(page: Page, intake_url: str) -> None:
    sentence, advice = "The mould is cold.", "Give it a minute."
    said = {"code": "missing_model", "sentence": sentence, "advice": advice}
    page.route("**/submit/", lambda route: route.fulfill(status=503, json=said))
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    send(page)
    expect(page.locator("#verdict")).to_contain_text(sentence, timeout=20_000)
    expect(page.locator("#verdict")).to_contain_text(advice)
    expect(page.get_by_role("button", name="Take another")).to_be_visible()
    page.unroute("**/submit/")
    page.get_by_role("button", name="Send it again").click()
    is_waiting_page(page)
    assert Submission.objects.count() == 1


def test_gateway_that_is_busy_is_waited_for_as_long_as_it_says(page: Page, intake_url: str) -> None:
    busy = {"status": 429, "body": "<html>Too many requests", "headers": {"Retry-After": "30"}}
    page.route("**/submit/", lambda route: route.fulfill(**busy))
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    send(page)
    expect(page.locator("#wait")).to_have_text(
        re.compile(r"^It is busy here: again in about \d+ s\.$")
    )
    expect(page.get_by_text("Your photo is safe on this phone.")).to_be_visible()
    page.unroute("**/submit/")
    page.get_by_role("button", name="Try now").click()
    is_waiting_page(page)
    assert Submission.objects.count() == 1


def test_network_that_returns_sends_the_photo_only_where_it_is_looked_at(
    page: Page, intake_url: str
) -> None:
    said = {"code": "slow_down", "sentence": "Easy.", "advice": "Give it a minute."}
    page.route("**/submit/", lambda route: route.fulfill(status=429, json=said))
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    send(page)
    page.get_by_role("button", name="Take another").click()
    aiming = page.get_by_role("heading", name="Face front, recruit")
    expect(aiming).to_be_visible()
    page.unroute("**/submit/")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    assert aiming.is_visible(), "the camera stays"
    page.go_back()
    expect(page.get_by_role("heading", name="Pick your")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="As you were")).to_be_visible()
    assert Submission.objects.count() == 0
    page.evaluate("window.dispatchEvent(new Event('online'))")
    is_waiting_page(page)
    assert Submission.objects.count() == 1


def test_file_that_cannot_be_read_is_told(page: Page, intake_url: str) -> None:
    page.add_init_script(
        "File.prototype.arrayBuffer = () => Promise.reject(new DOMException('', 'NotFoundError'))"
    )
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    expect(page.locator("#verdict")).to_contain_text("We got no picture out of that.")
    page.get_by_role("button", name="Take another").click()
    expect(page.get_by_role("heading", name="Face front, recruit")).to_be_visible()


def test_double_tap_makes_one_submission(page: Page, intake_url: str) -> None:
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    pick_kit(page)
    page.get_by_role("button", name="Make me plastic").dblclick()
    is_waiting_page(page)
    assert Submission.objects.count() == 1


def test_back_button_steps_back_and_a_return_starts_afresh(page: Page, intake_url: str) -> None:
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    expect(page.get_by_role("heading", name="This one?")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Face front, recruit")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Get in the box.")).to_be_visible()


def test_form_works_without_scripts(browser: Browser, intake_url: str) -> None:
    context = browser.new_context(viewport=phone.SIZE, java_script_enabled=False)
    page = context.new_page()
    page.goto(intake_url)
    page.get_by_role("checkbox").check()
    choose(page, me())
    page.get_by_label("Name on the box").fill("Mae")
    page.get_by_label("Army green").check()
    page.get_by_role("button", name="Make me plastic").click()
    is_waiting_page(page)
    context.close()
    submission = Submission.objects.get()
    assert (submission.plaque, submission.finish) == ("MAE", "army-green")


@pytest.mark.parametrize("size", [(320, 568), (390, 664), (390, 844), (740, 360), (1280, 800)])
def test_every_step_fits_the_window_with_its_button(
    browser: Browser, intake_url: str, library: Path, size: tuple[int, int]
) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, permissions=["camera"]
    )
    page = context.new_page()
    page.goto(intake_url)

    def fits(name: str | re.Pattern[str]) -> None:
        box = page.get_by_role("button", name=name).bounding_box()
        assert box
        assert box["y"] + box["height"] <= size[1]
        assert box["height"] >= 56
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]

    fits(ENLIST)
    agree(page)
    fits("Take it")
    choose(page, me())
    expect(page.get_by_role("heading", name="This one?")).to_be_visible()
    fits(THATS_ME)
    pick_kit(page)
    fits("Make me plastic")
    for choice in page.locator(".kit, .swatch").all():
        box = choice.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44
    last = page.locator(".swatch").last.bounding_box()
    assert last
    assert last["x"] + last["width"] <= size[0], "all finishes are in sight"
    context.close()


# --- the waiting page -------------------------------------------------------------------------


@pytest.fixture
def submission(demo: Campaign) -> Submission:
    """On its way, with a made figurine stored beside it to be shown when its time comes."""
    made = Submission.objects.create(
        campaign=demo,
        number=1247,
        idempotency_key="walk",
        plaque="MAE",
        kit="soldier",
        finish="painted",
        selfie_purge_at=timezone.now() + timedelta(hours=24),
        figurine_purge_at=timezone.now() + timedelta(days=30),
    )
    lifecycle.transition(made, S.SCREENING, actor=lifecycle.SYSTEM)
    return made


def give_figurine(submission: Submission) -> Figurine:
    GenerationJob.objects.filter(submission=submission).update(outcome="done")
    still, cutout = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (1080, 1350), (79, 107, 53)).save(still, "JPEG")
    Image.new("RGBA", (1080, 1350), (79, 107, 53, 128)).save(cutout, "WEBP")
    made = Figurine(submission=submission, recipe={}, seed=1, engine_version="1", is_chosen=True)
    made.still.save("still.jpg", ContentFile(still.getvalue()), save=False)
    made.cutout.save("cutout.webp", ContentFile(cutout.getvalue()), save=False)
    made.save()
    lifecycle.transition(submission, S.REVIEW, actor=lifecycle.SYSTEM)
    return made


def test_waiting_page_follows_every_move_without_a_reload(
    page: Page, live_server: LiveServer, submission: Submission
) -> None:
    def says(title: str) -> None:
        expect(page.get_by_role("heading", name=title)).to_be_visible(timeout=10_000)

    page.goto(f"{live_server.url}/s/{submission.token}/")
    page.evaluate("window.isStillHere = true")
    says("Into the mould")
    expect(page.locator("[aria-current=step]")).to_have_text("Checking your selfie")

    screening.enqueue(submission, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    lifecycle.transition(submission, S.GENERATING, actor=lifecycle.SYSTEM)
    GenerationJob.objects.update(stage="painting", percent=50)
    expect(page.locator("#progress-line")).to_have_text(
        "Painting you in · 50 % · about 8 s", timeout=10_000
    )

    figurine = give_figurine(submission)
    says("Fresh out of the mould")
    expect(page.locator(".figurine")).to_have_js_property("naturalWidth", 1080)
    expect(page.get_by_text("AI-generated")).to_be_visible()
    expect(page.get_by_role("link", name="Keep it")).to_be_hidden()

    approval.approve(submission, actor=lifecycle.SYSTEM)
    says("You are in the box")
    with page.expect_download() as download:
        page.get_by_role("link", name="Keep it").click()
    assert download.value.suggested_filename == "diorama-01247-mae.jpg"
    assert download.value.path().read_bytes() == figurine.still.read()

    approval.recall(submission, actor=lifecycle.SYSTEM, reason=RecallReason.PRODUCER)
    says("Back in barracks")
    assert page.evaluate("window.isStillHere") is True


def test_scene_that_did_not_come_is_fetched_again(
    page: Page, live_server: LiveServer, submission: Submission
) -> None:
    problems: list[Exception] = []
    lost: list[str] = []
    page.on("pageerror", lambda problem: problems.append(problem))
    page.goto(f"{live_server.url}/s/{submission.token}/")

    def lose_the_first(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort()

    page.route(page.url, lose_the_first)
    approval.reject(submission, actor=lifecycle.SYSTEM, reason=RejectReason.MINOR)
    expect(page.get_by_role("link", name="Take another")).to_be_visible(timeout=10_000)
    assert (lost, problems) == ([page.url], [])


def test_scene_that_never_comes_is_given_up_and_fetched_again(
    page: Page, live_server: LiveServer, submission: Submission
) -> None:
    page.add_init_script(
        "AbortSignal.timeout = () => {"
        "const giving = new AbortController(); setTimeout(() => giving.abort(), 500);"
        "return giving.signal; }"
    )
    page.goto(f"{live_server.url}/s/{submission.token}/")
    asked: list[Route] = []

    def hang_at_first(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    page.route(page.url, hang_at_first)
    approval.reject(submission, actor=lifecycle.SYSTEM, reason=RejectReason.MINOR)
    expect(page.get_by_role("link", name="Take another")).to_be_visible(timeout=20_000)


def test_rejected_page_says_why_and_leads_back(
    page: Page, live_server: LiveServer, submission: Submission
) -> None:
    page.goto(f"{live_server.url}/s/{submission.token}/")
    approval.reject(submission, actor=lifecycle.SYSTEM, reason=RejectReason.MINOR)
    expect(page.locator(".lead")).to_have_text(
        "Under 18? Please come back with a parent or guardian.", timeout=10_000
    )
    page.get_by_role("link", name="Take another").click()
    expect(page.get_by_role("heading", name="Get in the box.")).to_be_visible()


def test_delete_me_asks_and_gives_a_receipt(
    page: Page, live_server: LiveServer, submission: Submission
) -> None:
    page.goto(f"{live_server.url}/s/{submission.token}/")
    page.get_by_role("link", name="Delete me").click()
    page.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_role("heading", name="All gone")).to_be_visible()
    expect(page.locator(".receipt-number")).to_have_text(re.compile("^[0-9A-F]{10}$"))
    assert Submission.objects.get().state == S.ERASED
