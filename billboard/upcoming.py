"""The next showing of whoever is up, as their phone tells it: by the plan there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from django.utils import timezone

from billboard import feed, planning
from billboard.feed import Place
from billboard.models import EntryKind, FeedEntry, Screen
from billboard.planning import Made
from campaign.showings import Planned


def of(submission_ids: Collection[UUID]) -> dict[UUID, Planned]:
    """The source that campaign.showings asks: the next showing of each that has one.

    A plan that is behind with others still stands. With them it is not: of whoever was recalled
    and is up again it would tell what was planned before.
    """
    planned: dict[UUID, Planned] = {}
    for campaign_id, lines in _last_lines(submission_ids).items():
        made = planning.current(campaign_id)
        if made is None or made.place.epoch != feed.head(campaign_id).epoch:
            continue
        known = [pk for pk, line in lines.items() if not line.is_ahead_of(made.place)]
        planned |= _of(known, made)
    return planned


def _last_lines(submission_ids: Collection[UUID]) -> dict[int, dict[UUID, Place]]:
    """By campaign: where the log has the last line of each who is not taken down."""
    last: dict[UUID, tuple[int, EntryKind, Place]] = {}
    entries = FeedEntry.objects.filter(submission_id__in=submission_ids).order_by("id")
    words = ("submission_id", "campaign_id", "kind", "epoch", "seq")
    for submission_id, campaign_id, kind, epoch, seq in entries.values_list(*words):
        last[submission_id] = (campaign_id, kind, Place(epoch, seq))
    lines: dict[int, dict[UUID, Place]] = defaultdict(dict)
    for submission_id, (campaign_id, kind, place) in last.items():
        if kind != EntryKind.REMOVE:
            lines[campaign_id][submission_id] = place
    return lines


def _of(submission_ids: Collection[UUID], made: Made) -> dict[UUID, Planned]:
    """On a screen that shows anything; a wall is there as long as one of its members is."""
    now_ms = timezone.now().timestamp() * 1000
    coming = {
        pk: [start for start in made.starts.get(str(pk), ()) if start[0] > now_ms]
        for pk in submission_ids
    }
    screens = {screen for starts in coming.values() for _, screen in starts}
    if not screens:
        return {}
    there = Screen.objects.filter(pk__in=screens, is_active=True).select_related("wall")
    names = {s.pk: s.known_as for s in there if s.is_online and not s.is_still}
    planned = {}
    for pk, starts in coming.items():
        first = next((start for start in starts if start[1] in names), None)
        if first:
            at_ms, screen = first
            planned[pk] = Planned(names[screen], moment(at_ms))
    return planned


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
