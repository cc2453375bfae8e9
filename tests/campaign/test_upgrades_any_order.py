"""Nothing is lost, whatever happens to an upgrade, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign import (
    approval,
    endings,
    generation,
    leases,
    lifecycle,
    rerolls,
    retention,
    upgrades,
    workers,
)
from campaign.enums import IN_WORK, RecallReason, SubmissionState
from campaign.errors import IllegalTransition, IntakeError
from campaign.leases import Claim
from campaign.models import Campaign, GenerationJob, Submission
from figurine import marks
from figurine.errors import Cancelled
from tests import shelf
from tests.campaign.painting import (
    HOSTED,
    MAIN,
    STAND_IN,
    bring,
    chosen,
    end,
    finish,
    klein_is_away,
    open_jobs,
    time_is_up,
)
from tests.campaign.test_workers import KLEIN
from tests.campaign.workshop import now

S = SubmissionState

HOW: Final = (
    *("hold main", "hold beside", "done main", "done beside", "fail main", "fail beside"),
    *("later main", "later beside", "lapse", "patience", "klein away", "klein back"),
    *("approve", "reject", "undo", "recall", "reroll", "retry", "erase", "purge selfie"),
    "faceless main",
)


@dataclass
class Shop:
    """A submission to which anything may happen at any time, and what must be true of it always."""

    submission: Submission
    moderator: User
    held: dict[str, Claim | None] = field(default_factory=dict)
    """The last claim of each role, lapsed or not."""

    def happen(self, how: str) -> None:
        before = now(self.submission)
        standing = self._chosen() if before.state in _DECIDED else None
        word, _, role = how.partition(" ")
        if word in ("hold", "done", "fail", "faceless", "later"):
            self._work(word, role)
        else:
            self._act(how)
        self.check()
        if standing and now(self.submission).state == before.state:
            assert self._chosen() == standing
        if how == "patience" and before.state in IN_WORK and upgrades.stand_in(before):
            assert now(self.submission).state not in IN_WORK

    def _chosen(self) -> int | None:
        rows = self.submission.figurines.filter(is_chosen=True)
        return rows.values_list("pk", flat=True).first()

    def _work(self, word: str, role: str) -> None:
        if word == "hold":
            names = ("sculpt",) if role == "beside" else ("klein", "hosted")
            GenerationJob.objects.update(ready_at=timezone.now())
            for taken in generation.claim(names, limit=1):
                self.held[role] = taken
            return
        claim = self.held.pop(role, None)
        if claim is None:
            return
        if word == "done":
            try:
                finish(claim)
            except Cancelled:
                self.held[role] = claim
        elif word == "faceless":
            bring(claim, marks.NO_FACE_IN_FIGURINE)
        else:
            endings.fail(claim, code="engine_broke", permanent=word == "fail")

    def _act(self, how: str) -> None:
        there, actor = now(self.submission), lifecycle.crew(self.moderator)
        try:
            match how:
                case "lapse":
                    GenerationJob.objects.filter(lease_until__isnull=False).update(
                        lease_until=timezone.now() - timedelta(seconds=1)
                    )
                case "patience":
                    if there.patience_ends_at:
                        time_is_up(there)
                case "klein away":
                    klein_is_away()
                case "klein back":
                    workers.beat(KLEIN)
                case "undo":
                    approval.undo(there, actor=actor)
                case "recall":
                    approval.recall(there, actor=actor, reason=RecallReason.PRODUCER)
                case "reroll":
                    rerolls.ask(there, rerolls.Wish(seen_at=there.state_since_at))
                case "retry":
                    approval.retry(there, actor=actor)
                case "purge selfie":
                    retention.purge(now=there.selfie_purge_at)
                case _:
                    end(there, self.moderator, how)
        except (IllegalTransition, IntakeError):
            pass  # not in this state, and then nothing was changed

    def check(self) -> None:
        there, jobs = now(self.submission), open_jobs(self.submission)
        roles = [role for role, _ in jobs]
        assert len(set(roles)) == len(roles)
        if there.state in IN_WORK:
            assert jobs, "lost: nobody works on it"
        elif there.state == S.REVIEW and jobs:
            assert roles == [MAIN]
            assert chosen(there)[0] == STAND_IN
        else:
            assert jobs == []
        if there.state in (S.REVIEW, S.APPROVED):
            chosen(there)
            assert marks.NO_FACE_IN_FIGURINE not in there.figurines.get(is_chosen=True).marks
        hidden = there.figurines.filter(is_chosen=False).exclude(still="")
        assert hidden.count() <= (1 if there.state in IN_WORK else 0)
        if there.state == S.FAILED:
            assert not there.figurines.exclude(still="").exists()

    def drain(self) -> None:
        """From here on everybody does their work, and it comes to an end."""
        workers.beat(KLEIN)
        self.held.clear()
        self._act("lapse")
        for _ in range(leases.MAX_ATTEMPTS + 1):
            for role in ("main", "beside"):
                if open_jobs(self.submission):
                    self.happen(f"hold {role}")
                    self.happen(f"done {role}")
        assert now(self.submission).state not in IN_WORK
        assert open_jobs(self.submission) == []


_DECIDED: Final = frozenset({S.APPROVED, S.REJECTED, S.RECALLED, S.ERASED, S.EXPIRED})


@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from(HOW), max_size=14), st.booleans())
def test_submission_is_never_lost_in_any_order_of_events(
    painted: Campaign, moderator: User, events: list[str], has_second: bool
) -> None:
    with transaction.atomic():
        painted.second_engine = "hosted" if has_second else ""
        painted.save()
        workers.beat(KLEIN)
        if has_second:
            workers.beat(HOSTED)
        shop = Shop(shelf.put(painted, S.QUEUED), moderator)
        for how in events:
            shop.happen(how)
        shop.drain()
        transaction.set_rollback(True)
