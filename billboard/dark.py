"""Which screens have not yet said that somebody who was taken down is off them."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q

from billboard import feed
from billboard.models import Ack, EntryKind, FeedEntry, Screen
from campaign.showings import Remaining


def remaining(submission_id: UUID) -> list[Remaining]:
    """The source that campaign.showings asks. Empty for who is up, or never was.

    A screen that is heard is asked to say so; one that is away only where it was heard since they
    went up first, and may hold them, whatever it has confirmed of another time: one too many is
    named rather than one too few.
    """
    lines = FeedEntry.objects.filter(
        submission=submission_id, kind__in=(EntryKind.ADD, EntryKind.REMOVE)
    )
    gone = lines.last()
    if gone is None or gone.kind != EntryKind.REMOVE:
        return []
    up = lines.filter(kind=EntryKind.ADD).first()
    head = feed.head(gone.campaign_id)
    # Whoever is past that line, or was told all there is since, has nobody there any more.
    is_past = Q(confirmed_epoch=gone.epoch, confirmed_seq__gte=gone.seq)
    if head.epoch != gone.epoch:
        is_past |= Q(confirmed_epoch=head.epoch)
    screens = (
        Screen.objects.filter(campaign=gone.campaign_id, is_active=True)
        .exclude(Q(token_hash=None) | Q(last_seen_at=None) | is_past)
        .exclude(pk__in=Ack.objects.filter(entry=gone).values("screen"))
        .order_by("name")
    )
    return [
        Remaining(screen.name, is_connected=screen.is_heard)
        for screen in screens
        if screen.is_heard or (up and screen.last_seen_at and screen.last_seen_at >= up.created_at)
    ]
