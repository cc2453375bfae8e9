"""The phone's pages, asked as a browser and as a script ask."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertRedirects
from structlog.testing import capture_logs

from campaign import errors, intake, offers, tries, views
from campaign.consent import SQUAD_TEXT, text_sha256
from campaign.enums import SubmissionState
from campaign.errors import SlowDown, StorageAway
from campaign.models import Campaign, EntryPoint, Submission
from campaign.storage import DurableFiles
from figurine.errors import MissingModel, OutOfMemory, TooDark
from tests.odd import upload
from tests.photos import portrait

S = SubmissionState
JSON = {"Accept": "application/json"}


def heading(answer: Any) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", answer.content.decode(), re.S)
    assert found, "the page has no heading"
    return unescape(found[1]).strip()


def enlistment(campaign: Campaign, **fields: Any) -> dict[str, Any]:
    return {
        "photo": SimpleUploadedFile("me.jpg", portrait().read_bytes(), "image/jpeg"),
        "consent_sha256": text_sha256(campaign.terms),
        "idempotency_key": str(uuid.uuid4()),
        **fields,
    }


def submit(client: Client, campaign: Campaign, **fields: Any) -> Any:
    return client.post(
        reverse("campaign:submit", args=[campaign.slug]),
        enlistment(campaign, **fields),
        headers=JSON,
    )


def test_landing_leads_to_the_only_open_campaign(client: Client, campaign: Campaign) -> None:
    Campaign.objects.create(slug="asleep", name="Asleep", is_paused=True)
    assertRedirects(client.get("/"), "/c/demo/")


def test_landing_lists_open_campaigns_alone(client: Client, campaign: Campaign) -> None:
    now = timezone.now()
    Campaign.objects.create(slug="over", name="Over", closes_at=now - timedelta(hours=1))
    Campaign.objects.create(slug="later", name="Later", opens_at=now + timedelta(hours=1))
    Campaign.objects.create(slug="second", name="Second", closes_at=now + timedelta(hours=1))
    page = client.get("/").content.decode()
    assert re.findall(r'href="(/c/[^"]+)"', page) == ["/c/second/", "/c/demo/"]


def test_landing_with_nothing_open_says_so(client: Client, db: None) -> None:
    assert heading(client.get("/")) == "The shelf is empty"


def test_intake_page_of_one_alone_says_nothing_of_squads(
    client: Client, campaign: Campaign
) -> None:
    page = client.get("/c/demo/").content.decode()
    assert "Bring your friends" not in page
    assert 'class="oval"' in page


def test_intake_page_invites_squads_and_asks_for_everyone_s_yes(
    client: Client, campaign: Campaign
) -> None:
    campaign.most_faces = 4
    campaign.save(update_fields=["most_faces"])
    page = client.get("/c/demo/").content.decode()
    assert "Bring your friends: up to 4 faces." in page
    assert 'class="oval"' not in page
    assert SQUAD_TEXT in unescape(page)
    assert f'value="{text_sha256(campaign.terms)}"' in page


def test_intake_page_carries_consent_and_entry_point(client: Client, campaign: Campaign) -> None:
    answer = client.get("/c/demo/?e=square")
    page = answer.content.decode()
    assert f'value="{text_sha256(campaign.terms)}"' in page
    assert campaign.consent_text in unescape(page)
    assert 'name="entry_code" value="square"' in page
    assert "csrftoken" in answer.cookies
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("engine", ["sculpt", "hosted"])
@pytest.mark.parametrize("most_faces", [1, 3])
@pytest.mark.parametrize("days", [1, 30])
def test_whatever_stands_by_the_box_is_what_is_recorded(
    client: Client, campaign: Campaign, engine: str, most_faces: int, days: int
) -> None:
    campaign.engine, campaign.most_faces = engine, most_faces
    campaign.figurine_retention_days = days
    campaign.save()
    page = client.get("/c/demo/").content.decode()
    [label] = re.findall(r'<label class="consent">.*?</label>', page, re.DOTALL)
    [small] = re.findall(r'<details class="small-print".*?<p>(.*?)</p>', page, re.DOTALL)
    lines = re.findall(r"<span>([^<]+)</span>", label)
    shown = "\n".join(lines) + "\n\n" + small.replace("<br>", "\n")
    assert unescape(shown) == campaign.terms
    assert re.sub(r"<[^>]*>|\s", "", label) == re.sub(r"\s", "", "".join(lines)), "nothing else"
    assert sum("easure" in line for line in lines) == 1
    assert sum("fal, a company" in line for line in lines) == (engine == "hosted")
    kept_for = "1 day." if days == 1 else "30 days."
    assert sum(line.endswith(kept_for) for line in lines) == 1


def test_intake_page_of_a_closed_campaign_takes_nothing(client: Client, campaign: Campaign) -> None:
    Campaign.objects.update(is_paused=True)
    answer = client.get("/c/demo/")
    assert heading(answer) == "The box is closed for now."
    assert b"<form" not in answer.content


def test_unknown_addresses_get_a_page_of_ours(client: Client, db: None) -> None:
    for address in ("/c/nowhere/", "/s/nobody/", "/media/forged", "/what"):
        answer = client.get(address)
        assert (answer.status_code, heading(answer)) == (404, "This peg is empty")


@pytest.mark.parametrize("language", ["de", "ar"])
def test_page_and_consent_are_in_the_language_of_their_words(
    client: Client, campaign: Campaign, language: str
) -> None:
    page = client.get("/c/demo/", headers={"Accept-Language": language})
    assert 'lang="en"' in page.content.decode()
    assert page["Content-Language"] == "en"
    client.post(
        reverse("campaign:submit", args=["demo"]),
        enlistment(campaign),
        headers={**JSON, "Accept-Language": language},
    )
    submission = Submission.objects.get()
    assert (submission.language, submission.consent.language) == ("en", "en")


def mine(client: Client, *keys: str) -> Any:
    return client.post(reverse("campaign:mine", args=["demo"]), {"idempotency_key": keys}).json()


def test_key_tells_whose_page_came_of_it(client: Client, campaign: Campaign) -> None:
    first, second, unknown = (str(uuid.uuid4()) for _ in range(3))
    submit(client, campaign, idempotency_key=first, plaque="Mae")
    submit(client, campaign, idempotency_key=second)
    pages = [f"/s/{one.token}/" for one in Submission.objects.order_by("-number")]
    assert mine(client, first, unknown, second) == {
        "figurines": [
            {"key": second, "status_url": pages[0], "name": "No. 00,002"},
            {"key": first, "status_url": pages[1], "name": "MAE"},
        ],
        "gone": [],
    }


def test_key_of_another_campaign_or_one_to_guess_tells_nothing(
    client: Client, campaign: Campaign, elsewhere: Campaign
) -> None:
    theirs = str(uuid.uuid4())
    submit(client, elsewhere, idempotency_key=theirs)
    submit(client, campaign, idempotency_key="1")
    assert Submission.objects.count() == 2
    assert mine(client, theirs, "1", "\0", "") == {"figurines": [], "gone": []}


def test_no_more_keys_are_looked_up_than_a_phone_may_send(
    client: Client, campaign: Campaign
) -> None:
    key = str(uuid.uuid4())
    submit(client, campaign, idempotency_key=key)
    others = [str(uuid.uuid4()) for _ in range(intake.DEVICE_LIMIT)]
    assert mine(client, *others, key)["figurines"] == []
    assert len(mine(client, *others[1:], key)["figurines"]) == 1


@pytest.mark.parametrize("state", [S.ERASED, S.EXPIRED])
def test_key_of_whoever_is_gone_says_so(client: Client, campaign: Campaign, state: S) -> None:
    key = str(uuid.uuid4())
    submit(client, campaign, idempotency_key=key)
    Submission.objects.update(state=state)
    assert mine(client, key) == {"figurines": [], "gone": [key]}


def test_phone_asks_about_keys_so_often_and_no_other_phone_suffers(
    client: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "KEY_ASKS", 2)
    other = Client()
    for phone in (client, other):
        phone.get("/c/demo/")
    url = reverse("campaign:mine", args=["demo"])
    key = {"idempotency_key": str(uuid.uuid4())}
    assert [client.post(url, key).status_code for _ in range(3)] == [200, 200, 429]
    assert other.post(url, key).status_code == 200


def test_keys_are_never_in_an_address(client: Client, campaign: Campaign) -> None:
    assert client.get(reverse("campaign:mine", args=["demo"])).status_code == 405


def test_theme_is_a_stylesheet(client: Client, campaign: Campaign) -> None:
    Campaign.objects.update(theme={"--signal": "#7a1fd1"})
    answer = client.get("/c/demo/theme.css")
    assert answer.content == b":root{--signal:#7a1fd1;}"
    assert answer["Content-Type"] == "text/css"


def test_submit_accepts_a_portrait(client: Client, campaign: Campaign) -> None:
    square = EntryPoint.objects.create(campaign=campaign, code="square", label="Square")
    answer = submit(
        client, campaign, plaque="Mae", finish="army-green", entry_code="square", device="phone-1"
    )
    submission = Submission.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {"status_url": f"/s/{submission.token}/"}
    assert (submission.plaque, submission.finish) == ("MAE", "army-green")
    assert submission.entry_point == square
    assert submission.consent.text_sha256 == text_sha256(campaign.terms)


def test_intake_page_shows_what_is_on_offer(
    client: Client, campaign: Campaign, library: Path
) -> None:
    Campaign.objects.update(kits=["soldier", "explorer"], finishes=["painted", "glow"])
    page = client.get("/c/demo/").content.decode()
    assert re.findall(r'name="kit" value="([^"]+)"', page) == ["soldier", "explorer"]
    assert re.findall(r'name="finish" value="([^"]+)"', page) == ["painted", "glow"]
    (glow,) = next(one.swatch for one in offers.whole().finishes if one.name == "glow")
    assert f'fill="{glow}"' in page
    Campaign.objects.update(kits=["explorer"], finishes=["glow"])
    page = client.get("/c/demo/").content.decode()
    assert 'name="kit"' not in page
    assert 'data-step="kit"' not in page


def test_intake_page_without_anything_to_make_says_so(client: Client, campaign: Campaign) -> None:
    Campaign.objects.update(kits=["wizard"])
    answer = client.get("/c/demo/")
    assert (answer.status_code, heading(answer)) == (503, "The workshop is missing a tool.")


def test_submit_wears_what_was_picked(client: Client, campaign: Campaign, library: Path) -> None:
    assert submit(client, campaign, kit="explorer", finish="glow").status_code == 201
    submission = Submission.objects.get()
    assert (submission.kit, submission.finish) == ("explorer", "glow")


def test_submit_again_with_the_same_key_gives_the_same_page(
    client: Client, campaign: Campaign
) -> None:
    first = submit(client, campaign, idempotency_key="once")
    again = submit(client, campaign, idempotency_key="once")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert Submission.objects.count() == 1


def test_submit_without_scripts_goes_to_the_status_page(client: Client, campaign: Campaign) -> None:
    answer = client.post("/c/demo/submit/", enlistment(campaign))
    assertRedirects(answer, f"/s/{Submission.objects.get().token}/")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"consent_sha256": ""}, 422, "consent_missing"),
        ({"consent_sha256": "0" * 64}, 409, "consent_outdated"),
        ({"photo": ""}, 422, "no_photo"),
        ({"photo": SimpleUploadedFile("a.jpg", b"<html>")}, 422, "not_an_image"),
        ({"photo": SimpleUploadedFile("a.jpg", upload("white mask"))}, 422, "face_covered"),
        ({"photo": SimpleUploadedFile("a.jpg", upload("sunglasses"))}, 422, "eyes_hidden"),
        ({"photo": SimpleUploadedFile("a.jpg", upload("turned by 60°"))}, 422, "turned_away"),
        ({"plaque": "seventeen letters"}, 422, "bad_plaque"),
        ({"idempotency_key": "x" * 65}, 422, "intake_failed"),
        ({"finish": "chrome"}, 422, "unknown_kit"),
        ({"kit": "wizard"}, 422, "unknown_kit"),
    ],
)
def test_submit_refuses_with_code_and_way_on(
    client: Client, campaign: Campaign, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = submit(client, campaign, **fields)
    refusal = errors.refusal_of(code)
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert Submission.objects.count() == 0
    if code != "intake_failed":
        assert answer.json()["sentence"] == refusal.sentence
        assert answer.json()["advice"] == refusal.advice


def test_submit_refuses_without_scripts_in_a_page(client: Client, campaign: Campaign) -> None:
    answer = client.post("/c/demo/submit/", enlistment(campaign, consent_sha256=""))
    assert answer.status_code == 422
    assert heading(answer) == "We need your yes before we touch your photo."
    assert b'href="/c/demo/"' in answer.content


def test_submit_while_the_storage_is_away_leads_to_another_try(
    client: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise OSError("the volume is not there")

    with monkeypatch.context() as away:
        away.setattr(DurableFiles, "_save", refuse)
        asked = {"idempotency_key": "mine"}
        with capture_logs() as lines:
            answer = submit(client, campaign, **asked)
        page = client.post("/c/demo/submit/", enlistment(campaign, **asked))
        assert Submission.objects.count() == 0
    said = {"code": "storage_away", "sentence": StorageAway.sentence, "advice": StorageAway.advice}
    assert (answer.status_code, answer.json()) == (503, said)
    assert [(line["log_level"], line["code"]) for line in lines] == [("error", "storage_away")]
    assert (page.status_code, heading(page)) == (503, StorageAway.sentence)
    assert re.search(r'href="/c/demo/">Try again<', page.content.decode())
    assert submit(client, campaign, **asked).status_code == 201, "the same photo, sent again"


@pytest.mark.parametrize(
    ("refusal", "status", "level"),
    [
        (TooDark, 422, "info"),
        (SlowDown, 429, "info"),
        (OutOfMemory, 503, "warning"),
        (MissingModel, 503, "error"),
        (StorageAway, 503, "error"),
    ],
)
def test_refusal_tells_the_visitor_whether_to_come_back_and_the_crew_why(
    rf: RequestFactory,
    campaign: Campaign,
    refusal: Callable[[str], views.Refusal],
    status: int,
    level: str,
) -> None:
    request = rf.post("/c/demo/submit/", headers=JSON)
    raised = refusal("mean 12")
    with capture_logs() as lines:
        assert views.refused(request, campaign, raised).status_code == status
    assert lines == [
        {
            "event": "refused",
            "log_level": level,
            "code": raised.code,
            "detail": "mean 12",
            "campaign": "demo",
            "status": status,
        }
    ]


def test_submit_without_the_cookie_is_refused_in_our_voice(campaign: Campaign) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/c/demo/submit/", enlistment(campaign))
    assert (answer.status_code, heading(answer)) == (403, "As you were")
    assert Submission.objects.count() == 0
