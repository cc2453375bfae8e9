"""Turns: what the threads of a worker claim beside each other, in the process that they share.

What was in hand when something broke may take its process with it the next time, too: it is tried
while no other thread has anything in hand. Nobody waits here; whoever comes away with nothing is
rung again by the sweep.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from campaign.leases import Claim

_door: Final = threading.Lock()
_in_hand: Final[list[Claim]] = []


class Claims(Protocol):
    """As generation.claim."""

    def __call__(self, *, is_alone: bool) -> list[Claim]: ...


@contextmanager
def taken(claim: Claims) -> Iterator[list[Claim]]:
    """Have in hand what `claim` brings while the block runs; nothing beside a suspect."""
    with _door:
        is_shut = any(held.is_suspect for held in _in_hand)
        claims = [] if is_shut else claim(is_alone=not _in_hand)
        _in_hand.extend(claims)
    try:
        yield claims
    finally:
        with _door:
            for held in claims:
                _in_hand.remove(held)
