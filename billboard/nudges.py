"""Tells screens that the log has grown."""

from __future__ import annotations

from campaign.bell import bell


def group(campaign_id: int) -> str:
    return f"feed.{campaign_id}"


def nudge(campaign_id: int, *, head: int) -> None:
    """Best effort; never raises. A screen's consumer reads the log itself."""
    bell.ring(group(campaign_id), {"type": "head", "head": head})
