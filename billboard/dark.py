"""Which screens have not yet said that somebody who was taken down is off them; and which left a
campaign while nobody could tell them."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from billboard import feed
from billboard.models import ONLINE_WITHIN, Ack, EntryKind, FeedEntry, Screen, Stint
from campaign.showings import Remaining


def note_leaving(screen: Screen) -> None:
    """Call it with what is on record, before a screen is moved to another campaign or switched off,
    in the transaction that does it."""
    if screen.is_active and screen.token_hash:
        Stint.objects.create(screen=screen, campaign_id=screen.campaign_id)


def note_end(screen: Screen) -> None:
    """As note_leaving, before its browser is none any more: unpaired, or another in its place."""
    if not screen.token_hash or _is_unopened(screen):
        return
    note_leaving(screen)
    Stint.objects.filter(screen=screen, token_hash="").update(
        token_hash=screen.token_hash,
        previous_hash="" if screen.is_settled else screen.previous_hash,
        seen_at=screen.last_seen_at,
    )


def _is_unopened(screen: Screen) -> bool:
    """Whether its token came in a link that no browser has opened: what was heard last was the
    browser before, or what that said on its way out."""
    if screen.token_at is not None or screen.last_seen_at is None:
        return False
    ended = Stint.objects.filter(screen=screen).exclude(token_hash="")
    return ended.filter(until_at__gt=screen.last_seen_at - ONLINE_WITHIN).exists()


def note_refused(token_hash: str) -> None:
    """Call it when a token is refused: whichever browser shows it goes dark."""
    theirs = Stint.objects.filter(Q(token_hash=token_hash) | Q(previous_hash=token_hash))
    if theirs.exists():
        theirs.update(seen_at=timezone.now())


def lost(screen: Screen) -> list[Stint]:
    """Browsers that were this screen, were away when they were so no more, and do not know it: the
    latest stint of each."""
    stints = _lost().filter(screen=screen).order_by("pk")
    return list({each.token_hash: each for each in stints}.values())


def note_gone(screen: Screen, stint: int) -> bool:
    """Call it when the crew says that the browser of that stint shows nobody any more. Whether it
    was news."""
    theirs = _lost().filter(screen=screen)
    one = theirs.filter(pk=stint).values_list("token_hash", flat=True).first()
    return bool(one) and theirs.filter(token_hash=one).update(gone_at=timezone.now()) > 0


def _lost() -> QuerySet[Stint]:
    away = Stint.objects.filter(until_at__gt=F("seen_at") + ONLINE_WITHIN, gone_at=None)
    return away.exclude(token_hash="")


def remaining(submission_id: UUID) -> list[Remaining]:
    """The source that campaign.showings asks. Empty for who is up, or never was.

    A screen that is heard is asked to say so; one that is away only where it was heard since they
    went up first, and may hold them, whatever it has confirmed of another time: one too many is
    named rather than one too few. So is one that was away when it was moved to another campaign or
    switched off, until it is heard again; and a browser that was away when it was unpaired, or
    another took its place, until it comes and is refused, or the crew says that it is gone.
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
    is_here = Q(campaign=gone.campaign_id, is_active=True, token_hash__isnull=False)
    # One that was heard so shortly before was told to go dark.
    went_away = Stint.objects.filter(
        screen=OuterRef("pk"),
        campaign=gone.campaign_id,
        token_hash="",
        until_at__gt=OuterRef("last_seen_at") + ONLINE_WITHIN,
    )
    screens = (
        Screen.objects.filter(is_here | Exists(went_away))
        .exclude(Q(last_seen_at=None) | is_past)
        .exclude(pk__in=Ack.objects.filter(entry=gone).values("screen"))
        .order_by("name")
    )
    found = [
        Remaining(screen.name, is_connected=screen.is_heard)
        for screen in screens
        if screen.is_heard or (up and screen.last_seen_at and screen.last_seen_at >= up.created_at)
    ]
    return found + (_ended(gone, up) if up else [])


def _ended(gone: FeedEntry, up: FeedEntry) -> list[Remaining]:
    """Browsers that are no screen any more and do not know it, by the screens that they were."""
    stints = (
        _lost()
        .filter(
            campaign=gone.campaign_id,
            seen_at__gte=up.created_at,
            seen_at__lt=gone.created_at + ONLINE_WITHIN,
        )
        .select_related("screen")
        .order_by("screen__name")
    )
    names = [
        _("%s (its browser before)") % each.screen.name
        if each.screen.token_hash
        else each.screen.name
        for each in stints
    ]
    return [Remaining(name, is_connected=False) for name in dict.fromkeys(names)]
