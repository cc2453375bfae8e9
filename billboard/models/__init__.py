"""Rows of the record. Behaviour lives in rooms of their own."""

from billboard.models.bookings import Booking, BookingKind
from billboard.models.captures import CAPTURES, Capture, CaptureKind, CaptureOn, private
from billboard.models.commands import CommandKind, CommandOutcome, CommandState, ScreenCommand
from billboard.models.feeds import Ack, EntryKind, Feed, FeedEntry
from billboard.models.hours import PlayHour, StaleHour
from billboard.models.pairings import PairingCode, PairingState
from billboard.models.plays import Plan, Play, Tally
from billboard.models.screens import (
    ONLINE_WITHIN,
    PLACES,
    WATCHED_FOR,
    Layout,
    Rotation,
    Screen,
    Stint,
    Wall,
)

__all__ = [
    "CAPTURES",
    "ONLINE_WITHIN",
    "PLACES",
    "WATCHED_FOR",
    "Ack",
    "Booking",
    "BookingKind",
    "Capture",
    "CaptureKind",
    "CaptureOn",
    "CommandKind",
    "CommandOutcome",
    "CommandState",
    "EntryKind",
    "Feed",
    "FeedEntry",
    "Layout",
    "PairingCode",
    "PairingState",
    "Plan",
    "Play",
    "PlayHour",
    "Rotation",
    "Screen",
    "ScreenCommand",
    "StaleHour",
    "Stint",
    "Tally",
    "Wall",
    "private",
]
