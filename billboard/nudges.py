"""Tells screens that the log has grown, or that the crew wants something of them."""

from __future__ import annotations

from collections.abc import Sequence

from campaign.bell import bell


def group(campaign_id: int) -> str:
    return f"feed.{campaign_id}"


def nudge(campaign_id: int, *, head: int) -> None:
    """Best effort; never raises. A screen's consumer reads the log itself."""
    bell.ring(group(campaign_id), {"type": "head", "head": head})


def call(campaign_id: int, *, screens: Sequence[int]) -> None:
    """As `nudge`, for these screens alone: something is asked of them."""
    bell.ring(group(campaign_id), {"type": "orders", "screens": list(screens)})
