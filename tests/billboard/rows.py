"""Rows to test with: a submission that waits for review, with a picture."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta
from functools import cache

from django.core.files.base import ContentFile
from django.db import connection
from django.utils import timezone
from PIL import Image, ImageDraw

from billboard import feed
from billboard.feed import Changes, Place
from billboard.models import FeedEntry
from campaign import approval, lifecycle
from campaign.enums import RecallReason, SubmissionState
from campaign.models import Campaign, Figurine, Submission

COLOUR = "#2f6f3f"


def in_review(campaign: Campaign, *, plaque: str = "MAE", colour: str = COLOUR) -> Submission:
    """A submission that a person may approve now. `colour` is what its figurine is made of."""
    submission = Submission.objects.create(
        campaign=campaign,
        number=Submission.objects.filter(campaign=campaign).count() + 1,
        idempotency_key=str(uuid.uuid4()),
        plaque=plaque,
        kit="soldier",
        finish="painted",
        selfie_purge_at=timezone.now() + timedelta(hours=24),
        figurine_purge_at=timezone.now() + timedelta(days=30),
    )
    Submission.objects.filter(pk=submission.pk).update(state=SubmissionState.REVIEW)
    figurine = Figurine(
        submission=submission, recipe={}, seed=1, engine_version="1", is_chosen=True
    )
    figurine.still.save("still.webp", ContentFile(picture(colour)), save=False)
    figurine.cutout.save("cutout.webp", ContentFile(picture(colour)), save=False)
    figurine.save()
    return Submission.objects.get(pk=submission.pk)


def approved(campaign: Campaign, *, plaque: str = "MAE", colour: str = COLOUR) -> Submission:
    submission = in_review(campaign, plaque=plaque, colour=colour)
    approval.approve(submission, actor=lifecycle.SYSTEM)
    return submission


def recall(submission: Submission) -> None:
    approval.recall(submission, actor=lifecycle.SYSTEM, reason=RecallReason.TECHNICAL)


@cache
def picture(colour: str) -> bytes:
    """A pawn of one colour on nothing, in the size of a real cut-out."""
    image = Image.new("RGBA", (1080, 1350))
    draw = ImageDraw.Draw(image)
    draw.ellipse((400, 120, 680, 400), fill=colour)
    draw.rectangle((440, 380, 640, 1180), fill=colour)
    draw.ellipse((260, 1120, 820, 1280), fill=colour)
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=True)
    return out.getvalue()


def is_somebody_waiting() -> bool:
    """Whether a transaction waits for another's rows, on PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def entries(campaign: Campaign) -> list[tuple[int, str, uuid.UUID]]:
    rows = FeedEntry.objects.filter(campaign=campaign).order_by("seq")
    return list(rows.values_list("seq", "kind", "submission_id"))


def changes(campaign: Campaign, place: Place) -> list[tuple[int, uuid.UUID, bool]]:
    """Seq, submission, and whether it goes up."""
    news = feed.since(campaign.pk, place)
    assert isinstance(news, Changes)
    return [(change.seq, change.submission, change.item is not None) for change in news.changes]
