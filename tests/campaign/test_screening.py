from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from django.core.files.storage import storages
from django.utils import timezone

from campaign import screening
from campaign.enums import HoldReason, RejectReason, SubmissionState
from campaign.errors import StorageAway
from campaign.models import Campaign, GenerationJob, Submission
from figurine import safety
from figurine.errors import MissingModel
from figurine.types import Face, Recipe, SafetyScores
from tests import shelf

S = SubmissionState


def face(mesh_score: float = 0.95) -> Face:
    mesh = np.zeros((468, 3), np.float32)
    return Face((0, 0, 9, 9), 0.9, mesh, mesh_score, 0, 0, 0, 200, 0.5, 1.0)


@pytest.mark.parametrize(
    ("nsfw", "mesh_score", "verdict"),
    [
        (0.0, 0.95, None),
        (0.34, 0.95, None),
        (0.35, 0.95, HoldReason.SAFETY_UNSURE),
        (0.84, 0.95, HoldReason.SAFETY_UNSURE),
        (0.85, 0.95, RejectReason.UNSAFE),
        (1.0, 0.1, RejectReason.UNSAFE),
        (0.0, 0.59, HoldReason.QUALITY_UNSURE),
        (float("nan"), 0.95, HoldReason.SAFETY_UNSURE),
        (0.0, float("nan"), HoldReason.QUALITY_UNSURE),
    ],
)
def test_judge_follows_the_policy(
    nsfw: float, mesh_score: float, verdict: HoldReason | RejectReason | None
) -> None:
    said = screening.judge(SafetyScores(nsfw), face(mesh_score), campaign=Campaign())
    assert said == verdict


def test_screen_portrait_passes_and_writes_one_job(receive: Callable[..., Submission]) -> None:
    submission = receive(plaque="MAE")
    screening.screen(submission.pk)
    submission.refresh_from_db()
    assert submission.state == S.QUEUED
    assert submission.nsfw_score is not None
    assert submission.nsfw_score < 0.35
    assert Recipe.from_json(GenerationJob.objects.get().recipe) == Recipe(
        engine="sculpt", kit="soldier", finish="painted", plaque="MAE"
    )


def test_screen_rung_twice_makes_one_job(receive: Callable[..., Submission]) -> None:
    submission = receive()
    screening.screen(submission.pk)
    screening.screen(submission.pk)
    assert GenerationJob.objects.count() == 1


@pytest.mark.parametrize(
    ("hold", "reject", "state", "reason"),
    [(0.0, 1.0, S.HELD, HoldReason.SAFETY_UNSURE), (0.0, 0.0, S.REJECTED, RejectReason.UNSAFE)],
)
def test_screen_strict_policy_holds_or_rejects(
    receive: Callable[..., Submission],
    campaign: Campaign,
    hold: float,
    reject: float,
    state: S,
    reason: str,
) -> None:
    Campaign.objects.update(nsfw_hold=hold, nsfw_reject=reject)
    submission = receive()
    screening.screen(submission.pk)
    submission.refresh_from_db()
    assert (submission.state, submission.reason) == (state, reason)
    assert GenerationJob.objects.count() == 0


def test_screen_without_its_selfie_fails_with_a_code(receive: Callable[..., Submission]) -> None:
    receive()  # whose selfie is there
    submission = receive()
    storages["private"].delete(submission.selfie.name or "")
    screening.screen(submission.pk)
    submission.refresh_from_db()
    assert (submission.state, submission.reason) == (S.FAILED, "selfie_gone")


@pytest.mark.parametrize("there", ["figurine", "later selfie", ""])
def test_screen_without_its_selfie_and_none_before_fails_with_a_code(
    receive: Callable[..., Submission], campaign: Campaign, there: str
) -> None:
    """The selfies of those before are deleted on their day; or this is the first of all."""
    if there == "figurine":
        shelf.put(campaign, S.APPROVED)
        Submission.objects.update(selfie="")
    submission = receive()
    if there == "later selfie":
        receive()
    storages["private"].delete(submission.selfie.name or "")
    screening.screen(submission.pk)
    submission.refresh_from_db()
    assert (submission.state, submission.reason) == (S.FAILED, "selfie_gone")


def test_screen_without_its_selfie_and_anybodys_figurine_waits_for_the_storage(
    receive: Callable[..., Submission], campaign: Campaign
) -> None:
    """None before has a selfie any more; what came after lies where the disk should be."""
    figurine = shelf.put(campaign, S.APPROVED).figurines.get()
    Submission.objects.update(selfie="")
    submission = receive()
    receive()
    for file in (figurine.still, submission.selfie):
        storages["private"].delete(file.name or "")
    with pytest.raises(StorageAway):
        screening.screen(submission.pk)


def test_screen_without_anybodys_selfie_waits_for_the_storage(
    receive: Callable[..., Submission],
) -> None:
    everybody = [receive() for _ in range(2)]
    for one in everybody:
        storages["private"].delete(one.selfie.name or "")
    for one in everybody:
        with pytest.raises(StorageAway):
            screening.screen(one.pk)
    assert set(Submission.objects.values_list("state", flat=True)) == {S.SCREENING}


def test_screen_that_does_not_work_is_tried_again_and_then_held(
    receive: Callable[..., Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = receive()

    def broken(pixels: object) -> SafetyScores:
        raise MissingModel("no open_nsfw.onnx")

    monkeypatch.setattr(safety, "score", broken)
    with pytest.raises(MissingModel):
        screening.screen(submission.pk)
    Submission.objects.update(state_since_at=timezone.now() - screening.GIVE_UP_AFTER)
    screening.screen(submission.pk)
    submission.refresh_from_db()
    assert (submission.state, submission.hold_reason) == (S.HELD, HoldReason.NOT_SCREENED)


@pytest.mark.parametrize("state", [S.REVIEW, S.REJECTED, S.GENERATING, S.FAILED])
def test_screen_that_comes_late_changes_nothing(
    receive: Callable[..., Submission], monkeypatch: pytest.MonkeyPatch, state: S
) -> None:
    submission = receive()

    def meanwhile(pixels: object) -> SafetyScores:
        Submission.objects.filter(pk=submission.pk).update(state=state)
        return SafetyScores(0.0)

    monkeypatch.setattr(safety, "score", meanwhile)
    screening.screen(submission.pk)
    submission.refresh_from_db()
    assert (submission.state, GenerationJob.objects.count()) == (state, 0)
    assert submission.nsfw_score is None
