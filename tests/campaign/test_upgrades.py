"""An engine slower than sculpt: what is shown meanwhile, and what comes in its place."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.files.storage import storages
from django.utils import timezone

from campaign import (
    approval,
    decisions,
    generation,
    lifecycle,
    media,
    queries,
    rerolls,
    retention,
    upgrades,
    workers,
)
from campaign.decisions import Decision, Overtaken, Verdict
from campaign.enums import RejectReason, SubmissionState
from campaign.media import Audience, Picture
from campaign.models import Campaign, Submission
from figurine.errors import Cancelled
from tests import shelf
from tests.campaign.painting import (
    MAIN,
    STAND_IN,
    chosen,
    end,
    fail,
    finish,
    hold,
    klein_is_away,
    make,
    moves,
    open_jobs,
    pictures,
    put_with_hosted,
    time_is_up,
)
from tests.campaign.test_workers import KLEIN
from tests.campaign.workshop import now

S = SubmissionState


# --- at the door ------------------------------------------------------------------------------
def test_slower_engine_has_sculpts_beside_it_and_the_history_says_why(to_paint: Submission) -> None:
    assert open_jobs(to_paint) == [(MAIN, "klein"), (STAND_IN, "sculpt")]
    assert moves(to_paint)[-1] == (S.QUEUED, "", "klein: 0 waiting, about 8 s")
    assert to_paint.patience_ends_at is not None
    left_s = (to_paint.patience_ends_at - timezone.now()).total_seconds()
    assert 15 < left_s <= to_paint.campaign.patience_s


def test_engine_that_is_away_is_not_asked(painted: Campaign) -> None:
    klein_is_away()
    submission = shelf.put(painted, S.QUEUED)
    assert open_jobs(submission) == [(MAIN, "sculpt")]
    assert moves(submission)[-1] == (S.QUEUED, "", "sculpt: klein is away")
    assert submission.patience_ends_at is None


def test_each_engine_is_asked_with_its_own_options(painted: Campaign) -> None:
    painted.candidates, painted.likeness = 3, 0.4
    painted.engine_options = {"frame": "portrait", "endpoint": "for/hosted"}
    painted.save()
    submission = shelf.put(painted, S.QUEUED)
    asked = {job.role: job.recipe for job in submission.jobs.all()}
    assert asked[MAIN]["options"] == {"frame": "portrait", "candidates": 3, "likeness": 0.4}
    assert (asked[MAIN]["engine"], asked[STAND_IN]["engine"]) == ("klein", "sculpt")
    assert asked[STAND_IN]["options"] == {}


def test_engine_too_slow_for_patience_is_late_from_the_start(painted: Campaign) -> None:
    painted.patience_s = 3
    painted.save()
    submission = shelf.put(painted, S.QUEUED)
    words = "klein: 0 waiting, about 8 s; sculpt's until then"
    assert moves(submission)[-1] == (S.QUEUED, "", words)
    make("sculpt")
    assert now(submission).state == S.REVIEW
    assert open_jobs(submission) == [(MAIN, "klein")]


def test_who_was_never_told_of_the_provider_is_not_sent_there(to_paint: Submission) -> None:
    """The crew names the hosted engine when the queue grows: those who wait agreed to less."""
    campaign = to_paint.campaign
    put_with_hosted(campaign)
    fail(hold("klein"), code="engine_broke")
    assert open_jobs(to_paint) == [(STAND_IN, "sculpt")]
    make("sculpt")
    klein_is_away()
    there = now(to_paint)
    Campaign.objects.update(rerolls=1)
    rerolls.ask(there, rerolls.Wish(seen_at=there.state_since_at))
    assert open_jobs(to_paint) == [(MAIN, "sculpt")]
    told = shelf.put(campaign, S.QUEUED)
    assert open_jobs(told) == [(MAIN, "hosted"), (STAND_IN, "sculpt")]


# --- in the workshop --------------------------------------------------------------------------
def test_stand_in_is_seen_by_its_owner_and_nobody_else(
    to_paint: Submission, moderator: User
) -> None:
    make("sculpt")
    said = queries.status(to_paint)
    assert (said.state, said.is_preview) == (S.GENERATING, True)
    figurine = to_paint.figurines.get()
    assert (figurine.role, figurine.is_chosen) == (STAND_IN, False)

    def seen(picture: Picture) -> list[Audience]:
        addresses = {one: media.address(figurine, picture, audience=one) for one in Audience}
        return [
            one
            for one, address in addresses.items()
            if media.resolve(address.rpartition("/")[2], user=moderator)
        ]

    for picture in (Picture.STILL, Picture.CUTOUT):
        assert seen(picture) == [Audience.PARTICIPANT]
    assert said.still_url.startswith("/")
    assert list(queries.on_show(to_paint.campaign_id)) == []
    Submission.objects.update(state=S.REVIEW)
    assert seen(Picture.STILL) == [], "nor by its owner, once another one is there"


def test_engine_in_time_is_the_submissions_and_sculpts_is_forgotten(to_paint: Submission) -> None:
    make("sculpt")
    address = media.address(
        to_paint.figurines.get(), Picture.STILL, audience=Audience.PARTICIPANT
    ).rsplit("/", 1)[-1]
    make("klein")
    assert (now(to_paint).state, chosen(to_paint), pictures(to_paint)) == (
        S.REVIEW,
        (MAIN, "klein"),
        1,
    )
    assert open_jobs(to_paint) == []
    assert media.resolve(address, user=AnonymousUser()) is None
    figurine = to_paint.figurines.get(is_chosen=True)
    assert (figurine.likeness, figurine.marks) == (0.5, ["odd"])
    assert queries.status(to_paint).is_preview is False


def test_engine_before_sculpt_ends_sculpts_job(to_paint: Submission) -> None:
    beside = hold("sculpt")
    make("klein")
    assert (now(to_paint).state, open_jobs(to_paint)) == (S.REVIEW, [])
    with pytest.raises(Cancelled):
        finish(beside)
    assert chosen(to_paint) == (MAIN, "klein")


def test_patience_puts_sculpts_to_review_and_the_engine_goes_on(to_paint: Submission) -> None:
    make("sculpt")
    upgrades.lose_patience(to_paint.pk)  # rung too early
    assert now(to_paint).state == S.GENERATING
    time_is_up(to_paint)
    assert (now(to_paint).state, chosen(to_paint)) == (S.REVIEW, (STAND_IN, "sculpt"))
    assert open_jobs(to_paint) == [(MAIN, "klein")]
    assert moves(to_paint)[-1] == (S.REVIEW, "patience", "20 s are over: sculpt's goes to review")
    assert queries.status(to_paint).is_preview is True
    assert queries.status(to_paint).sentence == ""
    before = moves(to_paint)
    upgrades.lose_patience(to_paint.pk)  # rung twice
    assert moves(to_paint) == before


def test_patience_over_before_sculpt_is_done(to_paint: Submission) -> None:
    time_is_up(to_paint)
    assert now(to_paint).state == S.QUEUED
    make("sculpt")
    assert (now(to_paint).state, chosen(to_paint)) == (S.REVIEW, (STAND_IN, "sculpt"))
    assert moves(to_paint)[-1][1] == "patience"


def test_sweep_finds_whose_time_is_up(to_paint: Submission) -> None:
    make("sculpt")
    assert upgrades.impatient() == []
    Submission.objects.update(patience_ends_at=timezone.now() - timedelta(seconds=1))
    assert upgrades.impatient() == [to_paint.pk]
    upgrades.lose_patience(to_paint.pk)
    assert upgrades.impatient() == []


def test_sweep_leaves_alone_for_whom_sculpt_is_at_work(to_paint: Submission) -> None:
    Submission.objects.update(patience_ends_at=timezone.now() - timedelta(seconds=1))
    assert upgrades.impatient() == []


def test_late_result_takes_sculpts_place_in_review(standing: Submission) -> None:
    make("klein")
    there = now(standing)
    assert (there.state, chosen(there), pictures(there)) == (S.REVIEW, (MAIN, "klein"), 1)
    words = "klein's takes the place of sculpt's"
    assert moves(there)[-1] == (S.REVIEW, "upgraded", words)
    assert there.state_since_at > standing.state_since_at
    assert queries.status(there).is_preview is False


def test_decision_about_the_picture_before_is_refused(
    standing: Submission, moderator: User
) -> None:
    seen_at = standing.state_since_at
    make("klein")
    old = Decision(standing.pk, Verdict.APPROVE, seen_at)
    with pytest.raises(Overtaken):
        decisions.decide(old, user=moderator)
    new = Decision(standing.pk, Verdict.APPROVE, now(standing).state_since_at)
    assert decisions.decide(new, user=moderator).submission.state == S.APPROVED


def test_decision_is_refused_though_the_other_workers_clock_is_behind(
    standing: Submission, moderator: User
) -> None:
    ahead = timezone.now() + timedelta(minutes=5)
    Submission.objects.update(state_since_at=ahead)
    make("klein")
    assert now(standing).state_since_at > ahead
    with pytest.raises(Overtaken):
        decisions.decide(Decision(standing.pk, Verdict.APPROVE, ahead), user=moderator)


def test_upgrade_keeps_the_place_in_the_queue(standing: Submission, painted: Campaign) -> None:
    klein_is_away()
    later = shelf.put(painted, S.REVIEW)
    assert [row.pk for row in queries.review_queue()] == [standing.pk, later.pk]
    workers.beat(KLEIN)
    make("klein")
    assert now(standing).state_since_at > now(later).state_since_at
    assert [row.pk for row in queries.review_queue()] == [standing.pk, later.pk]


@pytest.mark.parametrize("how", ["approve", "reject", "erase", "expire"])
@pytest.mark.parametrize("is_in_hand", [True, False])
def test_late_result_never_touches_what_is_decided(
    standing: Submission, moderator: User, how: str, is_in_hand: bool
) -> None:
    late = hold("klein") if is_in_hand else None
    end(standing, moderator, how)
    before = (now(standing).state, list(standing.figurines.values()), moves(standing))
    assert open_jobs(standing) == []
    if late:
        with pytest.raises(Cancelled):
            finish(late)
    assert generation.claim(("klein",), limit=1) == []
    assert (now(standing).state, list(standing.figurines.values()), moves(standing)) == before


def test_late_failure_leaves_what_is_in_review(standing: Submission) -> None:
    since_at = standing.state_since_at
    fail(hold("klein"))
    there = now(standing)
    assert (there.state, there.state_since_at, chosen(there)) == (
        *(S.REVIEW, since_at),
        (STAND_IN, "sculpt"),
    )
    assert open_jobs(there) == []
    assert moves(there)[-1] == ("", "no_face", "klein failed (no_face): what is in review stays")


def test_late_failure_overtakes_nobodys_decision(standing: Submission, moderator: User) -> None:
    seen_at, place = standing.state_since_at, list(queries.review_queue())
    fail(hold("klein"))
    assert list(queries.review_queue()) == place
    seen = Decision(standing.pk, Verdict.REJECT, seen_at, reason=RejectReason.OTHER)
    assert decisions.decide(seen, user=moderator).submission.state == S.REJECTED
    approval.undo(now(standing), actor=lifecycle.crew(moderator))
    assert now(standing).state == S.REVIEW


def test_late_failure_leaves_the_visitor_another_one(standing: Submission) -> None:
    fail(hold("klein"))
    assert rerolls.ask(standing, rerolls.Wish(seen_at=standing.state_since_at))


def test_purged_selfie_ends_the_late_engine(standing: Submission) -> None:
    retention.purge(now=standing.selfie_purge_at)
    assert (now(standing).state, open_jobs(standing)) == (S.REVIEW, [])


def test_purged_selfie_puts_the_stand_in_to_review(to_paint: Submission) -> None:
    make("sculpt")
    retention.purge(now=to_paint.selfie_purge_at)
    assert (now(to_paint).state, chosen(to_paint)) == (S.REVIEW, (STAND_IN, "sculpt"))
    assert moves(to_paint)[-1] == (S.REVIEW, "fallback", "selfie_gone")


def test_reroll_ends_the_late_engine_and_begins_anew(standing: Submission) -> None:
    late = hold("klein")
    assert rerolls.ask(standing, rerolls.Wish(seen_at=standing.state_since_at, kit="astronaut"))
    with pytest.raises(Cancelled):
        finish(late)
    assert open_jobs(standing) == [(MAIN, "klein"), (STAND_IN, "sculpt")]
    make("sculpt")
    assert (pictures(standing), chosen(standing)) == (2, (STAND_IN, "sculpt"))
    assert queries.status(standing).is_preview is True
    make("klein")
    assert (now(standing).kit, chosen(standing)) == ("astronaut", (MAIN, "klein"))
    assert pictures(standing) == 1


def test_erased_stand_in_leaves_no_file(to_paint: Submission) -> None:
    before = set(storages["private"].listdir("figurines")[1])
    make("sculpt")
    receipt = retention.erase(now(to_paint), actor=lifecycle.PARTICIPANT)
    assert receipt.files == 3  # the selfie, still and cutout
    assert (pictures(to_paint), open_jobs(to_paint)) == (0, [])
    assert len(set(storages["private"].listdir("figurines")[1]) - before) == 2  # until commit
