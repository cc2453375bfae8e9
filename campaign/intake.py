"""1 Intake: upload bytes become a submission, or a refusal with a way on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from campaign import lifecycle, load, offers, pool, purses, retention, storage, tries, volume
from campaign.consent import text_sha256
from campaign.enums import SubmissionState
from campaign.errors import (
    CampaignClosed,
    ConsentMissing,
    ConsentOutdated,
    NoPhoto,
    SlowDown,
    StorageAway,
    WorkshopFull,
)
from campaign.models import Campaign, Consent, ConsentText, EntryPoint, Submission
from campaign.purses import Purse
from figurine import plaque, recipes, sandbox
from figurine.bounds import MAX_BYTES
from figurine.errors import OutOfMemory, TooLarge
from figurine.types import Recipe

log = structlog.get_logger(__name__)

KEY: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
"""A phone's own, a random UUID: 122 bits, as hard to guess as the page's address."""

DEVICE_LIMIT: Final = 12
DEVICE_WINDOW: Final = timedelta(minutes=10)
"""Of those that were taken in; what is tried is counted by tries.py."""

SPARE: Final = timedelta(hours=1)
"""For the crew, who may let it be made once more, and for a clip; half of what is kept for less."""


@dataclass(frozen=True)
class Request:
    """What a phone sends beside the photo."""

    idempotency_key: str
    consent_sha256: str
    plaque: str = ""
    entry_code: str = ""
    language: str = ""
    device: str = ""
    kit: str = ""
    finish: str = ""
    paid_from: tuple[Purse, ...] = ()
    """What this try is counted in (tries.py)."""


@dataclass(frozen=True)
class Received:
    submission: Submission
    is_new: bool


def receive(photo: bytes, *, campaign: Campaign, request: Request) -> Received:
    """Store one submission for this upload; the same idempotency key gives the same one back.

    Raises IntakeError or FigurineError, each with a code, a sentence and an advice. The upload
    itself is never stored: what is kept is a re-encoded copy without metadata.
    """
    # 1. A repeat is answered before anything else, even if the campaign has closed meanwhile
    known = _known(campaign, request)
    if known:
        return Received(known, is_new=False)

    # 2. What needs no look at the photo
    _check_request(campaign, request, photo)
    words = plaque.clean(request.plaque)
    kit, finish = offers.of(campaign).pick(request.kit, request.finish)
    recipes.check(Recipe(campaign.engine, kit, finish, words))
    device_hash = hashlib.sha256(request.device.encode()).hexdigest() if request.device else ""
    _check_rate(campaign, device_hash)
    _check_wait(campaign)
    volume.check()
    tries.pay(request.paid_from)

    # 3. Decode and judge the photo in a process that may die of it; nobody else should wait for a
    # database connection meanwhile
    pool.let_go()
    try:
        upload = sandbox.inspect_upload(photo, most_faces=campaign.most_faces)
    except OutOfMemory:  # nobody has looked at it
        purses.give_back(request.paid_from)
        raise

    # 4. One transaction: number, submission, consent, first moves
    now = timezone.now()
    submission = Submission(
        campaign=campaign,
        entry_point=EntryPoint.objects.filter(campaign=campaign, code=request.entry_code).first(),
        idempotency_key=request.idempotency_key,
        device_hash=device_hash,
        plaque=words,
        kit=kit,
        finish=finish,
        language=request.language[:12],
        face=upload.faces[0].as_json(),
        other_faces=[face.as_json() for face in upload.faces[1:]],
        selfie_purge_at=now + retention.selfie_kept_for(campaign),
        figurine_purge_at=now + retention.figurine_kept_for(campaign),
        created_at=now,
    )
    pool.let_go()
    try:
        storage.write([(submission.selfie, ContentFile(upload.jpeg, "selfie.jpg"))])
    except StorageAway:  # which is no fault of theirs
        purses.give_back(request.paid_from)
        raise
    try:
        with transaction.atomic():
            Campaign.objects.filter(pk=campaign.pk).update(series_head=F("series_head") + 1)
            submission.number = Campaign.objects.values_list("series_head", flat=True).get(
                pk=campaign.pk
            )
            submission.save(force_insert=True)
            agreed, _ = ConsentText.objects.get_or_create(
                sha256=text_sha256(campaign.terms), defaults={"text": campaign.terms}
            )
            Consent.objects.create(
                submission=submission,
                version=campaign.consent_version,
                text_sha256=agreed.sha256,
                language=submission.language,
                agreed_at=now,
            )
            lifecycle.transition(submission, SubmissionState.SCREENING, actor=lifecycle.PARTICIPANT)
    except IntegrityError:
        # The same key sent twice at once: the other request won. After any other failure the
        # commit's fate is unknown, and the file is left to the orphans' hour.
        storage.take_back([submission.selfie])
        known = _known(campaign, request)
        if known is None:
            raise
        return Received(known, is_new=False)
    log.info(
        "submission received",
        submission=str(submission.pk),
        campaign=campaign.slug,
        width_px=upload.width_px,
        height_px=upload.height_px,
    )
    return Received(submission, is_new=True)


def sent(campaign: Campaign, keys: Sequence[str]) -> list[Submission]:
    """What came of uploads with these keys, latest first; of DEVICE_LIMIT keys at most, and none
    that could be guessed."""
    secret = [key for key in keys[:DEVICE_LIMIT] if KEY.fullmatch(key)]
    if not secret:
        return []
    found = Submission.objects.filter(campaign=campaign, idempotency_key__in=secret)
    return list(found.order_by("-number"))


def _known(campaign: Campaign, request: Request) -> Submission | None:
    return Submission.objects.filter(
        campaign=campaign, idempotency_key=request.idempotency_key
    ).first()


def _check_request(campaign: Campaign, request: Request, photo: bytes) -> None:
    if not campaign.is_open:
        raise CampaignClosed
    if not request.consent_sha256:
        raise ConsentMissing
    if not constant_time_compare(request.consent_sha256, text_sha256(campaign.terms)):
        raise ConsentOutdated
    if not photo:
        raise NoPhoto
    if len(photo) > MAX_BYTES:
        raise TooLarge


def _check_wait(campaign: Campaign) -> None:
    """What would be purged before it is made is not taken in, until there is room again."""
    kept_for = retention.selfie_kept_for(campaign)
    most = kept_for - min(SPARE, kept_for / 2)
    if load.soonest_s(campaign) > most.total_seconds():
        raise WorkshopFull


def _check_rate(campaign: Campaign, device_hash: str) -> None:
    recent = Submission.objects.filter(
        campaign=campaign,
        device_hash=device_hash,
        created_at__gt=timezone.now() - DEVICE_WINDOW,
    )
    if device_hash and recent.count() >= DEVICE_LIMIT:
        raise SlowDown
