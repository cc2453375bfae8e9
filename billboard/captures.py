"""What is on now, in pictures that screens take of themselves.

A picture shows faces. It is kept only while everybody on it may be shown: the screen names them,
one who may not be shown now refuses it, and whoever stops being shown takes every picture they are
on with them, in the same transaction (receivers.py). The look at "may be shown" and the keeping
happen under the lock of the campaign's feed, which a recall takes too: none slips in between.
"""

from __future__ import annotations

import io
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from PIL import Image

from billboard import feed
from billboard.models import (
    CAPTURES,
    Capture,
    CaptureKind,
    CaptureOn,
    EntryKind,
    Feed,
    FeedEntry,
    Screen,
)

log = structlog.get_logger(__name__)

BYTES_MOST: Final = {
    CaptureKind.GLANCE: 80_000,
    CaptureKind.ASKED: 300_000,
    CaptureKind.FIRST: 300_000,
}
"""Measured of a mosaic of 16: 18 kB small, 38 kB large (docs/on-now.md)."""
PIXELS_MOST: Final = 600_000
HEADER_MOST_CHARS: Final = 8_000
PEOPLE_MOST: Final = 64
FORMATS: Final = ("WEBP", "JPEG", "PNG")
QUALITY: Final = 80
"""Of a JPEG: 2 ms for a large one, where a WebP of half the bytes takes 35. Of a hundred screens
with new people every few seconds that would be half a core."""

APART: Final = timedelta(seconds=1)
"""A page takes one every ten seconds, and sooner after a removal."""

FIRSTS_MOST: Final = 500
"""Of a screen; the oldest go."""
ORPHAN_AGE: Final = timedelta(hours=1)


class Refused(Exception):
    """Not kept. `code` says why, `status` is the answer's."""

    def __init__(self, code: str, *, status: int) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Seen:
    """Somebody on a picture, and the feed's line that put them there."""

    submission: UUID
    seq: int
    is_first: bool
    """The first time on this screen."""


@dataclass(frozen=True)
class Told:
    """What a screen says of a picture."""

    kind: CaptureKind
    on: tuple[Seen, ...]


def parse(header: str) -> Told:
    """What the header Diorama-Capture says. Raises Refused."""
    try:
        if len(header) > HEADER_MOST_CHARS:
            raise ValueError(header[:20])
        said = json.loads(header)
        people = said["on"]
        if not isinstance(people, list) or len(people) > PEOPLE_MOST:
            raise ValueError("on")
        return Told(CaptureKind(said["kind"]), tuple(map(_seen, people)))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise Refused("bad_capture", status=400) from error


def _seen(one: Any) -> Seen:
    seq = one["seq"]
    if type(seq) is not int or not 0 <= seq <= feed.SEQ_MAX:
        raise ValueError("seq")
    return Seen(UUID(str(one["submission"])), seq, one.get("is_first") is True)


def keep(screen: Screen, told: Told, picture: bytes) -> Capture:
    """Store one, and delete those that it takes the place of. Raises Refused."""
    # 1. Before the work: not too often.
    now = timezone.now()
    # Not those of the time to come: the clock was set back.
    latest = Capture.objects.filter(screen=screen, kind=told.kind, at__range=(now - APART, now))
    if latest.exists():
        raise Refused("too_often", status=429)
    if len(picture) > BYTES_MOST[told.kind]:
        raise Refused("too_large", status=413)
    _check(screen, told)
    # 2. Drawn anew: nothing of the bytes that came is kept.
    clean, width_px, height_px = _redrawn(picture)
    store = storages["private"]
    name = store.save(f"{CAPTURES}/{secrets.token_urlsafe(18)}.jpg", ContentFile(clean))
    # 3. Whoever is on it may be shown at this very moment, when nobody can be taken down.
    try:
        with transaction.atomic():
            _lock(screen)
            firsts = _check(screen, told)
            _replaced(screen, told.kind)
            capture = Capture.objects.create(
                screen=screen,
                kind=told.kind,
                file=name,
                width_px=width_px,
                height_px=height_px,
            )
            CaptureOn.objects.bulk_create(
                CaptureOn(capture=capture, submission=pk, is_first=pk in firsts)
                for pk in {seen.submission for seen in told.on}
            )
    except BaseException:
        store.delete(name)
        raise
    return capture


def _redrawn(picture: bytes) -> tuple[bytes, int, int]:
    try:
        with Image.open(io.BytesIO(picture), formats=FORMATS) as image:
            if image.width * image.height > PIXELS_MOST:
                raise Refused("too_large", status=413)
            plain = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise Refused("not_a_picture", status=400) from error
    out = io.BytesIO()
    plain.save(out, "JPEG", quality=QUALITY)
    return out.getvalue(), plain.width, plain.height


def _lock(screen: Screen) -> None:
    """Until the transaction ends it stays a screen, and nobody is taken down."""
    rows = Screen.objects.select_for_update(of=("self",), no_key=True)
    locked = rows.filter(pk=screen.pk, is_active=True, campaign=screen.campaign_id)
    if not locked.exclude(token_hash=None).first():
        raise Refused("unpaired", status=403)
    Feed.objects.select_for_update().filter(campaign_id=screen.campaign_id).first()


def _check(screen: Screen, told: Told) -> set[UUID]:
    """Those whose first showing here it is. Raises Refused where somebody must not be on it."""
    epoch = feed.head(screen.campaign_id).epoch
    last = {
        entry.submission_id: entry
        for entry in FeedEntry.objects.filter(
            campaign_id=screen.campaign_id,
            submission__in={seen.submission for seen in told.on},
            kind__in=(EntryKind.ADD, EntryKind.REMOVE),
        ).order_by("pk")
    }
    for seen in told.on:
        entry = last.get(seen.submission)
        if entry is None or entry.kind != EntryKind.ADD:
            raise Refused("not_on_show", status=409)
        # As feed.Item has it: under an older epoch there is no place of theirs.
        if seen.seq != (entry.seq if entry.epoch == epoch else 0):
            raise Refused("not_on_show", status=409)
    if told.kind != CaptureKind.FIRST:
        return set()
    # A picture is often here before the word that a showing began.
    firsts = {seen.submission for seen in told.on if seen.is_first}
    known = CaptureOn.objects.filter(capture__screen=screen, submission__in=firsts, is_first=True)
    firsts -= set(known.values_list("submission", flat=True))
    if not firsts:
        raise Refused("not_first", status=412)
    return firsts


def _replaced(screen: Screen, kind: CaptureKind) -> None:
    """Of glances and asked ones the latest is kept, of first showings very many."""
    older = Capture.objects.filter(screen=screen, kind=kind).order_by("-at")
    most = FIRSTS_MOST - 1 if kind == CaptureKind.FIRST else 0
    forget(Capture.objects.filter(pk__in=list(older.values_list("pk", flat=True)[most:])))


def forget_with(submission_id: UUID) -> int:
    """Delete every picture that somebody is on. Returns how many.

    Inside the transaction after which they are shown no more, with the feed locked.
    """
    return forget(Capture.objects.filter(people__submission=submission_id))


def forget_of(screen: Screen) -> int:
    """Delete what tells of now: nobody looks at a screen that is none."""
    return forget(Capture.objects.filter(screen=screen).exclude(kind=CaptureKind.FIRST))


def forget(captures: QuerySet[Capture]) -> int:
    """The rows go now, the files on commit. Returns how many pictures."""
    found = dict(captures.values_list("pk", "file"))
    Capture.objects.filter(pk__in=found).delete()
    for name in found.values():
        transaction.on_commit(partial(storages["private"].delete, name), robust=True)
    return len(found)


def sweep() -> int:
    """Delete files that no row names: of a process that was killed, or that storage kept."""
    store = storages["private"]
    try:
        names = [f"{CAPTURES}/{name}" for name in store.listdir(CAPTURES)[1] if name]
    except FileNotFoundError:
        return 0
    named = set(Capture.objects.values_list("file", flat=True))
    before = timezone.now() - ORPHAN_AGE
    gone = 0
    for name in names:
        try:
            if name not in named and store.get_modified_time(name) < before:
                store.delete(name)
                gone += 1
        except FileNotFoundError:
            continue
        except Exception:
            log.exception("orphan could not be deleted", file=name)
    return gone
