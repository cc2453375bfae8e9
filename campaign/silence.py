"""Silence after a slow loss: what hangs is waited for once, not by everybody in turn."""

from __future__ import annotations

import time
from typing import Final

SLOW_S: Final = 0.25
"""What is dead refuses at once and may be asked again; what hangs takes its time."""
SILENCE_S: Final = 5.0
"""No longer than a screen's heartbeat or from sweep to sweep, which make good what was lost."""


class Silence:
    """Whether something that may hang is left alone for now. One a process: it hangs for all."""

    def __init__(self) -> None:
        self._until_s = 0.0

    @property
    def is_on(self) -> bool:
        return time.monotonic() < self._until_s

    def lost(self, *, since_s: float) -> None:
        """What was begun at `since_s`, of time.monotonic(), has come to nothing."""
        now_s = time.monotonic()
        if now_s - since_s > SLOW_S:
            self._until_s = now_s + SILENCE_S
