"""What hosted figurines cost, and whether a campaign may spend more: by the hour, and for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from django.db.models import DecimalField, Q, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from campaign.models import Campaign, HostedRequest

HOUR: Final = timedelta(hours=1)
"""Sliding: the last sixty minutes, not the clock's hour."""


@dataclass(frozen=True)
class Spent:
    """The cost so far, requests that are out or may be out included."""

    hour_usd: Decimal
    campaign_usd: Decimal


def spent(campaign: Campaign) -> Spent:
    """What a campaign has spent in the last hour and since it began. One query."""
    nothing = Value(Decimal(0), output_field=DecimalField())
    lately = Q(submitted_at__gt=timezone.now() - HOUR)
    sums = HostedRequest.objects.filter(job__submission__campaign=campaign).aggregate(
        hour=Coalesce(Sum("cost_usd", filter=lately), nothing),
        campaign=Coalesce(Sum("cost_usd"), nothing),
    )
    return Spent(hour_usd=sums["hour"], campaign_usd=sums["campaign"])


def may_spend(campaign: Campaign, usd: Decimal) -> bool:
    """Whether that much more stays within both caps, as they are now.

    Holds the campaign's row, so that two workers do not both take the last of it: call it inside
    the transaction that writes the spending down.
    """
    caps = (
        Campaign.objects.select_for_update()
        .only("hourly_budget_usd", "budget_usd")
        .get(pk=campaign.pk)
    )
    so_far = spent(campaign)
    return _fits(so_far.hour_usd + usd, caps.hourly_budget_usd) and _fits(
        so_far.campaign_usd + usd, caps.budget_usd
    )


def _fits(total: Decimal, cap: Decimal | None) -> bool:
    return cap is None or total <= cap
