"""The page whose address is its key: every state, erasing, retrying, the picture to keep."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertRedirects
from storages.backends.s3 import S3Storage

from campaign import approval, decisions, lifecycle, media, queries, retention, screening, upgrades
from campaign.enums import JobRole, RecallReason, RejectReason, SubmissionState
from campaign.media import Audience, Picture
from campaign.models import Campaign, Figurine, GenerationJob, Submission
from tests import shelf
from tests.campaign.test_views import heading

S = SubmissionState

HEADINGS = {
    S.RECEIVED: "Into the mould",
    S.SCREENING: "Into the mould",
    S.HELD: "Stand by",
    S.QUEUED: "Back in the mould",
    S.GENERATING: "Back in the mould",
    S.REVIEW: "Fresh out of the mould",
    S.APPROVED: "You are in the box",
    S.RECALLED: "Back in barracks",
    S.REJECTED: "Not this one",
    S.FAILED: "The mould jammed",
    S.EXPIRED: "Dismissed",
    S.ERASED: "All gone",
}
WAY_BACK = {S.RECALLED, S.REJECTED, S.FAILED, S.EXPIRED, S.ERASED}
SHOWS_FIGURINE = {S.REVIEW, S.QUEUED, S.GENERATING, S.APPROVED, S.RECALLED}
"""Queued or in the mould with a figurine there already: it is being made again."""


def put(submission: Submission, state: S) -> None:
    Submission.objects.filter(pk=submission.pk).update(state=state)


@pytest.fixture
def figurine(bare: Submission) -> Figurine:
    made = Figurine(submission=bare, recipe={}, seed=1, engine_version="1", is_chosen=True)
    made.still.save("still.jpg", ContentFile(b"still"), save=False)
    made.cutout.save("cutout.webp", ContentFile(b"cutout"), save=False)
    made.save()
    return made


@pytest.fixture
def url(bare: Submission) -> str:
    return reverse("campaign:status", args=[bare.token])


@pytest.mark.parametrize("state", S)
def test_status_page_tells_every_state(
    client: Client, figurine: Figurine, bare: Submission, url: str, state: S
) -> None:
    put(bare, state)
    answer = client.get(url)
    page = answer.content.decode()
    shown = (
        f'src="{media.address(figurine, Picture.CUTOUT, audience=Audience.PARTICIPANT)}"' in page
    )
    assert heading(answer) == HEADINGS[state]
    assert shown is (state in SHOWS_FIGURINE)
    assert ('href="/c/demo/"' in page) is (state in WAY_BACK)
    assert ("AI-generated" in page) is (state in SHOWS_FIGURINE)
    assert (reverse("campaign:erase", args=[bare.token]) in page) is (state != S.ERASED)


GUARDIAN = "Under 18? Please come back with a parent or guardian."
OWN_FACE = "Only your own face, please. Take a new selfie of you."
DELETED = "Your photo and figurine are deleted, as promised."


@pytest.mark.parametrize(
    ("reason", "lead"),
    [
        (RejectReason.MINOR, GUARDIAN),
        (RejectReason.SOMEONE_ELSE, OWN_FACE),
        (RecallReason.MINOR, f"It is off the screens. {GUARDIAN}"),
        (RecallReason.SOMEONE_ELSE, f"It is off the screens. {OWN_FACE}"),
    ],
)
def test_status_page_still_says_why_when_the_pictures_are_gone(
    client: Client, waiting: Submission, reason: RejectReason | RecallReason, lead: str
) -> None:
    url = reverse("campaign:status", args=[waiting.token])
    if isinstance(reason, RecallReason):
        approval.approve(waiting, actor=lifecycle.SYSTEM)
        approval.recall(waiting, actor=lifecycle.SYSTEM, reason=reason)
    else:
        approval.reject(waiting, actor=lifecycle.SYSTEM, reason=reason)
    before = client.get(url)
    assert DELETED not in before.content.decode()
    retention.purge(now=timezone.now() + retention.UNDO)
    assert Submission.objects.get().state == S.EXPIRED
    after = client.get(url)
    for answer in (before, after):
        assert heading(answer) == "Not this one"
        assert f'<p class="lead">{lead}</p>' in answer.content.decode()
    assert DELETED in after.content.decode()


def test_status_page_of_whoever_was_up_for_their_days_says_that_they_are_over(
    client: Client, waiting: Submission
) -> None:
    approval.approve(waiting, actor=lifecycle.SYSTEM)
    approval.recall(waiting, actor=lifecycle.SYSTEM, reason=RecallReason.PRODUCER)
    retention.purge(now=timezone.now() + timedelta(days=400))
    answer = client.get(reverse("campaign:status", args=[waiting.token]))
    assert heading(answer) == "Dismissed"


@pytest.mark.parametrize("state", S)
def test_status_page_never_says_error(
    client: Client, figurine: Figurine, bare: Submission, url: str, state: S
) -> None:
    put(bare, state)
    assert "error" not in client.get(url).content.decode().lower()


@pytest.mark.parametrize(
    ("stage", "words"),
    [("", "Being moulded"), ("painting", "Painting you in"), ("a new one", "Being moulded")],
)
def test_status_page_marks_the_line_that_is_worked_on(
    client: Client, bare: Submission, url: str, stage: str, words: str
) -> None:
    put(bare, S.SCREENING)
    screening.enqueue(
        Submission.objects.get(), actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING
    )
    lifecycle.transition(Submission.objects.get(), S.GENERATING, actor=lifecycle.SYSTEM)
    GenerationJob.objects.update(stage=stage, percent=43)
    lines = re.findall(
        r'<li class="line is-(\w+)".*?<span[^>]*>(.*?)</span>', client.get(url).content.decode()
    )
    assert lines == [
        ("done", "Selfie checked, then deleted within a day"),
        ("now", f"{words} · 43 %"),
        ("next", "A person has a look"),
        ("next", "On the billboard"),
    ]


def test_status_page_is_private(client: Client, bare: Submission, url: str) -> None:
    for address in (url, f"{url}status.json", f"{url}erase/"):
        answer = client.get(address)
        assert answer["X-Robots-Tag"] == "noindex"
        assert answer["Referrer-Policy"] == "same-origin"
        assert "no-store" in answer["Cache-Control"]


def test_status_json_is_the_status(client: Client, bare: Submission, url: str) -> None:
    said = client.get(f"{url}status.json").json()
    assert said == {**queries.status(bare).as_json(), "screens": []}


@pytest.mark.parametrize("token", ["%00", "a%00b", "x" * 33, "a.b", "ä"])
def test_token_that_cannot_be_one_is_not_found(client: Client, db: None, token: str) -> None:
    for page in ("", "status.json", "erase/"):
        assert client.get(f"/s/{token}/{page}").status_code == 404


def test_erasing_is_asked_first(client: Client, bare: Submission, url: str) -> None:
    assert heading(client.get(f"{url}erase/")) == "Delete me?"
    assert Submission.objects.get().state == S.RECEIVED


def test_erasing_gives_a_receipt(figurine: Figurine, bare: Submission, url: str) -> None:
    put(bare, S.APPROVED)
    browser = Client(enforce_csrf_checks=True)
    browser.get(f"{url}erase/")
    answer = browser.post(
        f"{url}erase/",
        {"csrfmiddlewaretoken": browser.cookies["csrftoken"].value},
        headers={"Origin": "http://testserver"},
    )
    assert heading(answer) == "All gone"
    assert re.search(r'receipt-number">[0-9A-F]{10}<', answer.content.decode())
    assert "<dd>2</dd>" in answer.content.decode()
    assert Submission.objects.get().state == S.ERASED


def test_erasing_twice_gives_the_same_receipt(
    client: Client, figurine: Figurine, bare: Submission, url: str
) -> None:
    answers = [client.post(f"{url}erase/"), client.post(f"{url}erase/"), client.get(f"{url}erase/")]
    assert list(map(heading, answers)) == ["All gone"] * 3
    pages = [answer.content.decode() for answer in answers]
    receipts = [re.findall(r'<dd class="receipt-number">(\w+)</dd>', page) for page in pages]
    assert len(receipts[0]) == 1
    assert receipts == [receipts[0]] * 3
    assert ["Pictures deleted" in page for page in pages] == [True, False, False]


@pytest.mark.parametrize("state", S)
def test_retry_queues_what_failed_and_nothing_else(
    client: Client, bare: Submission, url: str, state: S
) -> None:
    put(bare, state)
    Submission.objects.update(selfie="selfies/today.jpg", reason="worker_lost")
    assertRedirects(client.post(f"{url}retry/"), url)
    # A held one may be queued too, but by the crew: this must not be a way around them.
    assert Submission.objects.get().state == (S.QUEUED if state == S.FAILED else state)


def test_retry_by_get_changes_nothing(client: Client, bare: Submission, url: str) -> None:
    put(bare, S.FAILED)
    assert client.get(f"{url}retry/").status_code == 405
    assert Submission.objects.get().state == S.FAILED


@pytest.mark.parametrize(
    ("asked", "disposition"),
    [
        ("", "inline"),
        ("?download=diorama-00001-mae.jpg", 'attachment; filename="diorama-00001-mae.jpg"'),
        ("?download=../x%0d%0aSet-Cookie: a=b", "inline"),
    ],
)
def test_picture_is_saved_under_a_harmless_name(
    client: Client, figurine: Figurine, bare: Submission, asked: str, disposition: str
) -> None:
    put(bare, S.APPROVED)
    address = media.address(figurine, Picture.STILL, audience=Audience.PARTICIPANT)
    answer = client.get(address + asked)
    assert answer.content == b"still"
    assert answer["Content-Disposition"] == disposition
    assert answer["Cache-Control"] == "private, no-cache"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"


@pytest.fixture
def bucket(settings: Any, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    settings.S3_BUCKET = "private"
    return S3Storage(
        bucket_name="private",
        endpoint_url="http://bucket.test",
        access_key="key",
        secret_key="secret",
        region_name="us-east-1",
        signature_version="s3v4",
        querystring_auth=True,
        querystring_expire=60,
    )


def test_selfie_in_a_bucket_is_kept_by_no_cache(
    client: Client,
    moderator: User,
    bare: Submission,
    bucket: S3Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bare.selfie.save("selfie.jpg", ContentFile(b"selfie"))
    monkeypatch.setattr(Submission._meta.get_field("selfie"), "storage", bucket)
    put(bare, S.REVIEW)
    client.force_login(moderator)
    answer = client.get(media.address(bare, Picture.SELFIE, audience=Audience.CREW))
    asked = parse_qs(urlsplit(answer["Location"]).query)
    assert asked["response-cache-control"] == ["private, no-store"]
    assert (answer.status_code, answer["Cache-Control"]) == (302, "private, no-store")


@pytest.mark.parametrize("audience", Audience)
def test_picture_in_a_bucket_is_fetched_from_the_bucket(
    client: Client,
    moderator: User,
    figurine: Figurine,
    bare: Submission,
    bucket: S3Storage,
    monkeypatch: pytest.MonkeyPatch,
    audience: Audience,
) -> None:
    monkeypatch.setattr(Figurine._meta.get_field("still"), "storage", bucket)
    put(bare, S.APPROVED)
    client.force_login(moderator)
    address = media.address(figurine, Picture.STILL, audience=audience)
    answer = client.get(f"{address}?download=diorama.jpg")
    target = urlsplit(answer["Location"])
    asked = parse_qs(target.query)
    assert (answer.status_code, target.netloc) == (302, "bucket.test")
    assert target.path == f"/private/{figurine.still.name}"
    assert asked["response-content-disposition"] == ['attachment; filename="diorama.jpg"']
    assert asked["X-Amz-Expires"] == ["60"]
    kept = "private, no-cache" if audience == Audience.PARTICIPANT else "private, no-store"
    assert asked["response-cache-control"] == [kept]
    assert answer["Cache-Control"] == kept


# --- another one ----------------------------------------------------------------------------------
@pytest.fixture
def waiting(campaign: Campaign) -> Submission:
    return shelf.put(campaign, plaque="MAE")


def another(submission: Submission) -> str:
    return reverse("campaign:another", args=[submission.token])


def wish(submission: Submission, **words: str) -> dict[str, str]:
    return {"seen_at": queries.status(submission).since, **words}


def test_another_one_is_offered_while_it_waits(client: Client, waiting: Submission) -> None:
    page = client.get(reverse("campaign:status", args=[waiting.token])).content.decode()
    assert f'href="{another(waiting)}"' in page
    answer = client.get(another(waiting))
    assert heading(answer) == "Once more?"
    assert f'value="{queries.status(waiting).since}"' in answer.content.decode()
    assert Submission.objects.get().state == S.REVIEW


@pytest.mark.parametrize("state", [state for state in S if state != S.REVIEW])
def test_another_one_of_anything_else_leads_to_the_page(
    client: Client, waiting: Submission, state: S
) -> None:
    put(waiting, state)
    url = reverse("campaign:status", args=[waiting.token])
    assert another(waiting) not in client.get(url).content.decode()
    assertRedirects(client.get(another(waiting)), url)


def test_another_one_is_shown_with_what_is_worn_now_first(
    client: Client, waiting: Submission, library: Path
) -> None:
    Submission.objects.update(kit="explorer", finish="bronze")
    page = client.get(another(waiting)).content.decode()
    picked = re.findall(r'name="(?:kit|finish)" value="([^"]+)" checked', page)
    assert picked == ["explorer", "bronze"]


def test_another_one_asked_twice_leads_to_the_page_twice(
    client: Client, waiting: Submission
) -> None:
    asked = wish(waiting, finish="army-green")
    url = reverse("campaign:status", args=[waiting.token])
    for _ in range(2):
        assertRedirects(client.post(another(waiting), asked), url)
    assert waiting.jobs.filter(outcome="").count() == 1
    assert client.post(another(waiting), asked, headers={"Accept": "application/json"}).json() == {
        "status_url": url
    }


def test_another_one_too_late_says_so_and_leads_back(
    client: Client, waiting: Submission, moderator: User
) -> None:
    asked = wish(waiting)
    approval.approve(waiting, actor=lifecycle.crew(moderator))
    answer = client.post(another(waiting), asked)
    assert (answer.status_code, heading(answer)) == (409, "It is out of our hands by now.")
    assert f'href="{reverse("campaign:status", args=[waiting.token])}"' in answer.content.decode()
    said = client.post(another(waiting), asked, headers={"Accept": "application/json"})
    assert (said.status_code, said.json()["code"]) == (409, "too_late")


@pytest.mark.parametrize("seen_at", ["", "yesterday"])
def test_another_one_of_nothing_in_particular_is_refused(
    client: Client, waiting: Submission, seen_at: str
) -> None:
    assert client.post(another(waiting), {"seen_at": seen_at}).status_code == 422
    assert Submission.objects.get().state == S.REVIEW


def test_another_one_is_hidden_while_a_moderator_looks(
    client: Client, waiting: Submission, moderator: User
) -> None:
    decisions.claim(waiting.pk, user=moderator)
    url = reverse("campaign:status", args=[waiting.token])
    page = client.get(url).content.decode()
    assert another(waiting) not in page
    assert "A person is looking right now" in page
    assertRedirects(client.get(another(waiting)), url)


def test_reroll_of_which_nothing_came_is_told(client: Client, waiting: Submission) -> None:
    lifecycle.transition(waiting, S.QUEUED, actor=lifecycle.PARTICIPANT, reason="reroll")
    upgrades.withdraw(waiting, reason="worker_lost")
    page = client.get(reverse("campaign:status", args=[waiting.token])).content.decode()
    assert "The new one did not come out of the mould. This one stands." in page


def test_first_cast_is_shown_while_a_finer_one_is_painted(
    client: Client, campaign: Campaign
) -> None:
    """To its owner alone: nobody has looked at it."""
    submission = shelf.put(campaign, S.GENERATING, plaque="MAE")
    submission.jobs.update(outcome="done")
    submission.jobs.create(
        recipe={"engine": "klein", "kit": "soldier", "finish": "painted"}, engine="klein"
    )
    first = Figurine(submission=submission, recipe={}, seed=1, role=JobRole.STAND_IN)
    picture = ContentFile(shelf.figurine_jpeg(90))
    first.still.save("still.jpg", picture, save=False)
    first.cutout.save("cutout.jpg", picture, save=False)
    first.save()
    page = client.get(reverse("campaign:status", args=[submission.token])).content.decode()
    assert "Your first cast" in page
    assert 'class="card card-full is-preview"' in page
    (address,) = set(re.findall(r'class="figurine" src="([^"]+)"', page))
    assert client.get(address).status_code == 200
    for audience in (Audience.SCREEN, Audience.CREW):
        there = media.address(first, Picture.CUTOUT, audience=audience)
        assert client.get(there).status_code == 404
