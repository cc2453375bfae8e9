"""How often somebody may do what must not be done often: so many within ten minutes.

It is paid before it is looked at, so that many at once are no more than so many in turn. Whoever
was right has it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from campaign.models import PurseCount

WINDOW: Final = timedelta(minutes=10)
KEEP: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Purse:
    """`most` times `what`, for `who`."""

    what: str
    who: str
    most: int

    @property
    def key(self) -> str:
        """Nobody's name or address lies in the database for it."""
        return salted_hmac(f"campaign.purses.{self.what}", self.who, algorithm="sha256").hexdigest()


def spend(purses: Sequence[Purse]) -> Purse | None:
    """Take one out of each. From an empty one, and then out of none: that one.

    Looked at before any is paid: whoever is refused again and again writes nothing.
    """
    for purse in purses:
        if _is_empty(purse):
            return purse
    for place, purse in enumerate(purses):
        if not _take(purse):
            give_back(purses[:place])
            return purse
    return None


def give_back(purses: Sequence[Purse]) -> None:
    for purse in purses:
        PurseCount.objects.filter(key=purse.key, count__gt=0).update(count=F("count") - 1)


def sweep() -> int:
    """Delete counts of an hour ago. Returns how many."""
    return PurseCount.objects.filter(since__lt=timezone.now() - KEEP).delete()[0]


def _is_empty(purse: Purse) -> bool:
    now = timezone.now()
    return PurseCount.objects.filter(
        key=purse.key, since__range=(now - WINDOW, now), count__gte=purse.most
    ).exists()


def _take(purse: Purse) -> bool:
    now = timezone.now()
    PurseCount.objects.get_or_create(key=purse.key, defaults={"since": now})
    # One that counts from a time to come did so before the clock was set back.
    mine = PurseCount.objects.filter(key=purse.key)
    mine.exclude(since__range=(now - WINDOW, now)).update(since=now, count=0)
    return bool(mine.filter(count__lt=purse.most).update(count=F("count") + 1))
