"""Clips to test with, stored as the worker does."""

from __future__ import annotations

from django.core.files.base import ContentFile
from django.db import transaction

from campaign.enums import JobOutcome
from campaign.models import Keepsake, Submission
from campaign.signals import keepsake_made
from tests.moving import film, turning


def store(
    submission: Submission, *, rgb: tuple[int, int, int] = (200, 40, 120), broken: bool = False
) -> Keepsake:
    """The clip of a figurine, of one colour with a bar that goes round; `broken` plays nowhere."""
    frames = turning(rgb)
    mp4, webm = (b"no film", b"no film") if broken else (film(frames, "mp4"), film(frames, "webm"))
    return store_files(submission, mp4=mp4, webm=webm)


def store_files(submission: Submission, *, mp4: bytes, webm: bytes) -> Keepsake:
    submission = Submission.objects.get(pk=submission.pk)
    with transaction.atomic():
        clip = Keepsake(figurine=submission.figurines.get(), kind="clip", outcome=JobOutcome.DONE)
        clip.file.save("clip.mp4", ContentFile(mp4), save=False)
        clip.webm.save("clip.webm", ContentFile(webm), save=False)
        clip.save()
        keepsake_made.send(sender=Keepsake, submission=submission, keepsake=clip)
    return clip
