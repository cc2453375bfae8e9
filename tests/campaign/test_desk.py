from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from campaign import decisions, generation, lifecycle, rerolls, retention
from campaign.enums import FigurineMark, SubmissionState
from campaign.models import Campaign, ReviewClaim, Submission, Transition
from figurine import marks
from tests import shelf
from tests.campaign.workshop import FrameEngine

S = SubmissionState

REVIEW = reverse("admin:campaign_submission_review")
QUEUE = reverse("admin:campaign_submission_queue")
LIVE = reverse("admin:campaign_submission_live")
WALL = reverse("admin:campaign_submission_wall")


@pytest.fixture
def crew(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


@pytest.fixture
def other(db: None) -> User:
    user = User.objects.create_user("ana", password="ana", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="review_submission"))
    return user


@pytest.fixture
def elsewhere(db: None) -> Campaign:
    return Campaign.objects.create(slug="pier", name="Pier 17")


def queue(client: Client, **query: str) -> dict[str, Any]:
    body: dict[str, Any] = client.get(QUEUE, query).json()
    return body


def names(cards: list[dict[str, Any]]) -> list[str]:
    return [card["plaque"] for card in cards]


def decide(client: Client, submission: Submission, verdict: str, **fields: str) -> Any:
    """As the outbox does; of the version the row has in this test's hands."""
    fields.setdefault("seen_at", submission.state_since_at.isoformat())
    url = reverse("admin:campaign_submission_decide", args=[submission.pk])
    return client.post(url, {"verdict": verdict, **fields}, headers={"Accept": "application/json"})


def state_of(submission: Submission) -> str:
    return Submission.objects.values_list("state", flat=True).get(pk=submission.pk)


# --- who may ------------------------------------------------------------------------------------
def addresses(submission: Submission) -> list[str]:
    named = ("decide", "claim", "retry")
    return [
        REVIEW,
        QUEUE,
        LIVE,
        WALL,
        reverse("admin:campaign_submission_tally"),
        reverse("admin:campaign_submission_whereabouts", args=[submission.pk]),
        reverse("admin:campaign_submission_thumb", args=[submission.pk, 160]),
        reverse("admin:campaign_submission_erase", args=[submission.pk]),
        *(reverse(f"admin:campaign_submission_{name}", args=[submission.pk]) for name in named),
    ]


def test_desk_needs_the_permission(client: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    staff = User.objects.create_user("clerk", password="clerk", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_submission"))
    client.force_login(staff)
    for address in addresses(submission):
        assert client.get(address).status_code in (403, 405), address
        assert client.post(address).status_code in (403, 405), address
    assert state_of(submission) == S.REVIEW


def test_desk_sends_strangers_to_the_login(client: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    answer = client.get(REVIEW)
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={REVIEW}")
    assert decide(client, submission, "approve").status_code == 302
    assert state_of(submission) == S.REVIEW


def test_decision_without_csrf_token_is_refused(campaign: Campaign, moderator: User) -> None:
    submission = shelf.put(campaign)
    client = Client(enforce_csrf_checks=True)
    client.force_login(moderator)
    assert decide(client, submission, "approve").status_code == 403
    assert state_of(submission) == S.REVIEW


def test_desk_keeps_the_strict_policy(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign)
    for page in (REVIEW, LIVE):
        answer = crew.get(page)
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self';" in policy + ";"
        assert "unsafe" not in policy
        assert not re.search(rb"<script(?![^>]*(src|application/json))", answer.content)
        assert b" style=" not in answer.content


# --- what waits ---------------------------------------------------------------------------------
def test_queue_holds_what_waits_longest_first(crew: Client, campaign: Campaign) -> None:
    for state in S:
        if state in {*shelf.WAY, S.HELD, S.FAILED, S.RECALLED, S.REJECTED}:
            shelf.put(campaign, state, plaque=state.value)
    found = queue(crew)
    assert sorted(names(found["cards"])) == ["held", "review"]
    assert [c["since"] for c in found["cards"]] == sorted(c["since"] for c in found["cards"])
    assert (found["waiting"], found["live"]) == (2, 1)


def test_queue_of_one_campaign_shows_no_other(
    crew: Client, campaign: Campaign, elsewhere: Campaign
) -> None:
    shelf.put(campaign, plaque="HERE")
    shelf.put(elsewhere, plaque="THERE")
    assert names(queue(crew, campaign="demo")["cards"]) == ["HERE"]
    assert names(queue(crew, campaign="pier")["cards"]) == ["THERE"]
    assert names(queue(crew)["cards"]) == ["HERE", "THERE"]
    assert b"THERE" not in crew.get(REVIEW, {"campaign": "demo"}).content
    assert crew.get(QUEUE, {"campaign": "nowhere"}).status_code == 404


@pytest.mark.parametrize("page", [REVIEW, QUEUE, LIVE, WALL])
def test_desk_asks_as_much_for_three_as_for_one(
    crew: Client, campaign: Campaign, page: str
) -> None:
    counted = []
    for more in (1, 2):
        for _ in range(more):
            shelf.put(campaign, plaque="MAE")
            shelf.put(campaign, S.APPROVED, plaque="MAE")
        with CaptureQueriesContext(connection) as found:
            assert crew.get(page).content.count(b"MAE") >= more
        counted.append(len(found))
    assert counted[0] == counted[1]


def test_queue_unchanged_answers_304(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign)
    etag = crew.get(QUEUE)["ETag"]
    assert crew.get(QUEUE, headers={"If-None-Match": etag}).status_code == 304
    shelf.put(campaign)
    again = crew.get(QUEUE, headers={"If-None-Match": etag})
    assert (again.status_code, again.json()["waiting"]) == (200, 2)


def test_held_one_shows_the_selfie_alone(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign, S.HELD)
    (card,) = queue(crew)["cards"]
    assert (bool(card["selfie_url"]), card["figurine_url"]) == (True, "")
    assert card["verdicts"] == ["release", "reject"]
    assert card["hold_reason"] == "The safety score is in between"


def test_card_tells_how_like_the_figurine_is_and_what_to_look_at(
    crew: Client, campaign: Campaign
) -> None:
    submission = shelf.put(campaign)
    submission.figurines.update(likeness=0.2149, marks=[marks.UNLIKE])
    (card,) = queue(crew)["cards"]
    assert (card["likeness"], card["marks"]) == (0.21, "Not much like the selfie: look twice")
    page = crew.get(REVIEW).content.decode()
    assert re.search(r"<dt>Likeness</dt><dd>0.21</dd>", page)
    assert "Not much like the selfie: look twice" in page


def test_every_mark_of_an_engine_has_words() -> None:
    told = {value for name, value in vars(marks).items() if name.isupper()}
    assert told == set(FigurineMark.values)


def test_card_pictures_open_for_the_crew(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign)
    (card,) = queue(crew)["cards"]
    for kind in ("selfie_url", "figurine_url"):
        answer = crew.get(card[kind])
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")


@pytest.mark.parametrize("how", ["erased", "expired"])
def test_what_was_deleted_never_shows(
    crew: Client, campaign: Campaign, moderator: User, how: str
) -> None:
    for state in (S.REVIEW, S.HELD, S.APPROVED):
        submission = shelf.put(campaign, state, plaque="GONE")
        thumb = reverse("admin:campaign_submission_thumb", args=[submission.pk, 160])
        if how == "erased":
            retention.erase(submission, actor=lifecycle.crew(moderator))
        else:
            Submission.objects.filter(pk=submission.pk).update(
                created_at=timezone.now() - timedelta(days=400), selfie_purge_at=timezone.now()
            )
            retention.purge()
        assert state_of(submission) == how
        assert queue(crew, look=str(submission.pk))["current"] is None
        assert crew.get(thumb).status_code == 404
        for page in (REVIEW, QUEUE, LIVE, WALL):
            assert b"GONE" not in crew.get(page).content
    assert queue(crew)["cards"] == crew.get(WALL).json()["cards"] == []


# --- deciding -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("state", "verdict", "to", "reason"),
    [
        (S.REVIEW, "approve", S.APPROVED, ""),
        (S.REVIEW, "reject:bad_name", S.REJECTED, "bad_name"),
        (S.HELD, "reject:minor", S.REJECTED, "minor"),
        (S.HELD, "release", S.QUEUED, "released"),
        (S.APPROVED, "recall:producer", S.RECALLED, "producer"),
        (S.APPROVED, "undo", S.REVIEW, "undo"),
        (S.REJECTED, "undo", S.REVIEW, "undo"),
    ],
)
def test_decision_moves_and_records_the_actor(
    crew: Client,
    campaign: Campaign,
    moderator: User,
    state: SubmissionState,
    verdict: str,
    to: SubmissionState,
    reason: str,
) -> None:
    submission = shelf.put(campaign, state)
    answer = decide(crew, submission, verdict)
    move = submission.transitions.order_by("-id")[0]
    assert answer.status_code == 200
    assert (move.to_state, move.actor, move.actor_kind, move.reason) == (
        to,
        moderator,
        "crew",
        reason,
    )
    submission.refresh_from_db()
    assert (submission.state, answer.json()["since"]) == (to, submission.state_since_at.isoformat())


def test_decision_keeps_the_note(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    decide(crew, submission, "reject", reason="other", note="x" * 500)
    move = submission.transitions.order_by("-id")[0]
    assert (move.reason, move.note) == ("other", "x" * 400)


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (S.REVIEW, "approve"),
        (S.HELD, "release"),
        (S.HELD, "reject:minor"),
        (S.APPROVED, "recall:technical"),
        (S.APPROVED, "undo"),
    ],
)
def test_note_is_kept_with_every_verdict(
    crew: Client, campaign: Campaign, moderator: User, state: SubmissionState, verdict: str
) -> None:
    submission = shelf.put(campaign, state)
    for _ in range(2):  # its answer was lost once
        assert decide(crew, submission, verdict, note="ask Kim").status_code == 200
    kept = submission.transitions.filter(note="ask Kim")
    assert [row.actor for row in kept] == [moderator]


@pytest.mark.parametrize("verdict", ["approve", "reject:other", "release", "recall:technical"])
def test_decision_sent_twice_counts_once(crew: Client, campaign: Campaign, verdict: str) -> None:
    """The answer was lost on its way, so the outbox sends it again."""
    start = {"release": S.HELD, "recall:technical": S.APPROVED}.get(verdict, S.REVIEW)
    submission = shelf.put(campaign, start)
    first, again = decide(crew, submission, verdict), decide(crew, submission, verdict)
    assert (first.status_code, again.status_code) == (200, 200)
    assert submission.transitions.filter(at__gt=submission.state_since_at).count() == 1


def test_undo_sent_twice_counts_once(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign, S.APPROVED)
    assert decide(crew, submission, "undo").status_code == 200
    assert decide(crew, submission, "undo").status_code == 200
    assert submission.transitions.filter(reason="undo").count() == 1


def test_decision_resent_after_an_undo_changes_nothing(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    approved = decide(crew, submission, "approve").json()["since"]
    decide(crew, submission, "undo", seen_at=approved)
    assert decide(crew, submission, "approve").status_code == 200
    assert state_of(submission) == S.REVIEW


def test_second_moderator_is_told_who_was_first(
    crew: Client, campaign: Campaign, other: User
) -> None:
    submission = shelf.put(campaign)
    ana = Client()
    ana.force_login(other)
    assert decide(ana, submission, "reject:other").status_code == 200
    answer = decide(crew, submission, "approve")
    assert (answer.status_code, answer.json()) == (409, {"sentence": "ana rejected No. 00,001."})
    assert state_of(submission) == S.REJECTED


def test_same_verdict_of_two_moderators_counts_once(
    crew: Client, campaign: Campaign, other: User
) -> None:
    submission = shelf.put(campaign)
    ana = Client()
    ana.force_login(other)
    decide(ana, submission, "approve")
    assert decide(crew, submission, "approve").json() == {"sentence": "ana approved No. 00,001."}
    assert Transition.objects.filter(to_state=S.APPROVED).count() == 1


def test_page_of_one_moderator_does_nothing_in_the_name_of_another(
    crew: Client, campaign: Campaign, moderator: User, other: User
) -> None:
    submission = shelf.put(campaign)
    claim = reverse("admin:campaign_submission_claim", args=[submission.pk])
    assert decide(crew, submission, "approve", user=str(other.pk)).status_code == 403
    assert crew.post(claim, {"user": other.pk}).status_code == 403
    assert (state_of(submission), ReviewClaim.objects.count()) == (S.REVIEW, 0)
    assert crew.post(claim, {"user": moderator.pk}).status_code == 200
    assert decide(crew, submission, "approve", user=str(moderator.pk)).status_code == 200


def test_decision_on_what_the_participant_deleted_is_told(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    retention.erase(Submission.objects.get(pk=submission.pk), actor=lifecycle.PARTICIPANT)
    answer = decide(crew, submission, "approve")
    assert answer.json() == {"sentence": "No. 00,001 is deleted, as its owner asked."}
    assert state_of(submission) == S.ERASED


def test_decision_on_a_figurine_since_made_again_is_told(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    asked = rerolls.Wish(seen_at=submission.state_since_at)
    rerolls.ask(Submission.objects.get(), asked)
    answer = decide(crew, submission, "approve")
    assert answer.status_code == 409
    assert answer.json()["sentence"] == (
        "The participant asked for another figurine: No. 00,001 comes back with it."
    )
    assert state_of(submission) == S.QUEUED


def test_desk_never_shows_the_figurine_before(
    crew: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = shelf.put(campaign)
    (before,) = queue(crew)["cards"]
    monkeypatch.setattr(generation, "engine", lambda name: FrameEngine())
    Submission.objects.update(face=shelf.measured())
    rerolls.ask(submission, rerolls.Wish(seen_at=submission.state_since_at))
    found = queue(crew, look=str(submission.pk))
    assert (found["cards"], found["current"]["figurine_url"]) == ([], "")
    assert found["current"]["verdicts"] == []
    assert found["current"]["story"].startswith("The participant asked for another figurine")
    generation.run_ready()
    (after,) = queue(crew)["cards"]
    assert after["since"] > before["since"]
    assert len({before["figurine_url"], after["figurine_url"]}) == 2
    assert crew.get(after["figurine_url"]).status_code == 200
    assert crew.get(before["figurine_url"]).status_code == 404


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (S.HELD, "approve"),
        (S.REVIEW, "release"),
        (S.REVIEW, "undo"),
        (S.REVIEW, "recall:other"),
        (S.FAILED, "release"),
        (S.APPROVED, "reject:other"),
        (S.RECALLED, "approve"),
    ],
)
def test_verdict_that_the_state_forbids_is_told(
    crew: Client, campaign: Campaign, state: SubmissionState, verdict: str
) -> None:
    submission = shelf.put(campaign, state)
    answer = decide(crew, submission, verdict)
    assert answer.status_code == 409
    assert answer.json()["sentence"].startswith("No. 00,001 cannot be moved that way now")
    assert state_of(submission) == state


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "promote"},
        {"verdict": "reject"},
        {"verdict": "reject:because"},
        {"verdict": "approve", "seen_at": "yesterday"},
        {"verdict": "approve", "seen_at": "2026-11-22T12:00:00"},
    ],
)
def test_nonsense_is_refused(crew: Client, campaign: Campaign, fields: dict[str, str]) -> None:
    submission = shelf.put(campaign)
    words = {"seen_at": submission.state_since_at.isoformat(), **fields}
    assert decide(crew, submission, **words).status_code == 400
    assert state_of(submission) == S.REVIEW


def test_decision_on_nothing_is_404(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    submission.pk = "00000000-0000-4000-8000-000000000000"
    assert decide(crew, submission, "approve").status_code == 404


def test_plain_form_goes_back_to_its_page(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    url = reverse("admin:campaign_submission_decide", args=[submission.pk])
    fields = {"verdict": "approve", "seen_at": submission.state_since_at.isoformat()}
    answer = crew.post(url, {**fields, "campaign": "demo"}, headers={"Accept": "text/html"})
    assert (answer.status_code, answer["Location"]) == (302, f"{REVIEW}?campaign=demo")
    late = crew.post(
        url, {**fields, "verdict": "reject:other", "page": "live"}, headers={"Accept": "text/html"}
    )
    assert late["Location"] == LIVE
    assert b"You approved No. 00,001." in crew.get(LIVE).content


# --- two moderators -----------------------------------------------------------------------------
def test_two_moderators_are_served_different_ones(
    crew: Client, campaign: Campaign, other: User
) -> None:
    first, second = shelf.put(campaign, plaque="FIRST"), shelf.put(campaign, plaque="SECOND")
    crew.post(reverse("admin:campaign_submission_claim", args=[first.pk]))
    ana = Client()
    ana.force_login(other)
    found = queue(ana)["cards"]
    assert [(c["plaque"], c["claimed_by"]) for c in found] == [("SECOND", ""), ("FIRST", "mod")]
    assert f"review/{second.pk}/decide/".encode() in ana.get(REVIEW).content
    assert names(queue(crew)["cards"]) == ["FIRST", "SECOND"]


def test_claim_of_a_taken_one_names_who_has_it(
    crew: Client, campaign: Campaign, other: User
) -> None:
    submission = shelf.put(campaign)
    decisions.claim(submission.pk, user=other)
    answer = crew.post(reverse("admin:campaign_submission_claim", args=[submission.pk]))
    assert (answer.status_code, answer.json()) == (409, {"claimed_by": "ana"})


def test_claim_lapses(crew: Client, campaign: Campaign, other: User) -> None:
    submission = shelf.put(campaign)
    decisions.claim(submission.pk, user=other)
    ReviewClaim.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert queue(crew)["cards"][0]["claimed_by"] == ""
    answer = crew.post(reverse("admin:campaign_submission_claim", args=[submission.pk]))
    assert (answer.status_code, ReviewClaim.objects.get().user.username) == (200, "mod")


def test_claim_moves_with_the_moderator_and_ends_with_the_decision(
    crew: Client, campaign: Campaign
) -> None:
    first, second = shelf.put(campaign), shelf.put(campaign)
    for submission in (first, second):
        crew.post(reverse("admin:campaign_submission_claim", args=[submission.pk]))
    assert [claim.submission_id for claim in ReviewClaim.objects.all()] == [second.pk]
    decide(crew, second, "approve")
    assert ReviewClaim.objects.count() == 0


def test_claim_of_what_is_gone_is_404(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign, S.QUEUED)
    url = reverse("admin:campaign_submission_claim", args=[submission.pk])
    assert (crew.post(url).status_code, ReviewClaim.objects.count()) == (404, 0)


# --- the wall -----------------------------------------------------------------------------------
def test_wall_shows_what_is_approved_newest_first(
    crew: Client, campaign: Campaign, elsewhere: Campaign
) -> None:
    for name in ("FIRST", "SECOND"):
        shelf.put(campaign, S.APPROVED, plaque=name)
    for state in (S.RECALLED, S.REVIEW, S.REJECTED):
        shelf.put(campaign, state, plaque="NOT")
    shelf.put(elsewhere, S.APPROVED, plaque="THERE")
    assert names(crew.get(WALL).json()["cards"]) == ["THERE", "SECOND", "FIRST"]
    assert names(crew.get(WALL, {"campaign": "demo"}).json()["cards"]) == ["SECOND", "FIRST"]


@pytest.mark.parametrize("search", ["2", "No. 00,002", "no. 2", "secon"])
def test_wall_finds_by_number_and_name(crew: Client, campaign: Campaign, search: str) -> None:
    for name in ("FIRST", "SECOND"):
        shelf.put(campaign, S.APPROVED, plaque=name)
    assert names(crew.get(WALL, {"q": search}).json()["cards"]) == ["SECOND"]


@pytest.mark.parametrize("width_px", [160, 480])
def test_thumb_is_a_small_jpeg_of_the_figurine(
    crew: Client, campaign: Campaign, width_px: int
) -> None:
    shelf.put(campaign)
    (card,) = queue(crew)["cards"]
    answer = crew.get(card["thumb_url" if width_px == 160 else "wall_url"])
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.width) == ("JPEG", width_px)
        shade = image.convert("RGB").getpixel((4, 4))
    assert isinstance(shade, tuple)
    assert abs(shade[0] - 40) < 8, "the figurine's own shade, not the selfie"


def test_thumb_is_kept_by_no_cache(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign, S.HELD)
    (card,) = queue(crew)["cards"]
    assert "no-store" in crew.get(card["thumb_url"])["Cache-Control"]


def test_selfie_past_its_day_never_shows(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign, S.HELD)
    Submission.objects.update(selfie_purge_at=timezone.now())
    (card,) = queue(crew)["cards"]
    assert card["selfie_url"] == ""
    assert crew.get(card["thumb_url"]).status_code == 404


def test_thumb_of_any_other_width_is_404(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    url = reverse("admin:campaign_submission_thumb", args=[submission.pk, 4000])
    assert crew.get(url).status_code == 404


# --- on request ---------------------------------------------------------------------------------
def test_erase_asks_first_and_hands_out_a_receipt(
    crew: Client, campaign: Campaign, moderator: User
) -> None:
    submission = shelf.put(campaign, S.APPROVED, plaque="MAE")
    url = reverse("admin:campaign_submission_erase", args=[submission.pk])
    assert crew.get(url).status_code == 200
    assert state_of(submission) == S.APPROVED
    page = crew.post(url).content.decode()
    move = submission.transitions.order_by("-id")[0]
    assert (move.to_state, move.actor) == (S.ERASED, moderator)
    assert re.search(r'class="receipt">[0-9A-F]{10}<', page)
    assert crew.post(url).status_code == 302, "a second time there is nothing left to delete"


def test_retry_queues_a_failed_one_and_nothing_else(crew: Client, campaign: Campaign) -> None:
    failed, waiting = shelf.put(campaign, S.FAILED), shelf.put(campaign, S.REVIEW)
    for submission in (failed, waiting):
        crew.post(reverse("admin:campaign_submission_retry", args=[submission.pk]))
    assert (state_of(failed), state_of(waiting)) == (S.QUEUED, S.REVIEW)
