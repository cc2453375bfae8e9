"""The clock of the sweeps: Celery's, but one that does not stop while the machine's is set back."""

from __future__ import annotations

from typing import Any

from celery import beat


class Scheduler(beat.Scheduler):
    """Each task runs first when its time has passed since the start, and what ran last at a moment
    that has not come yet counts as run now.

    Celery waits until the clock is there again: for hours, where a machine started with a clock
    that was hours ahead. Its usual scheduler keeps a file as well, which makes a start anew no
    help, and which ends it at every start once a power cut has emptied it.
    """

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Run one task that is due. Returns after how many seconds to look again."""
        now = self.app.now()
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at > now]
        for entry in ahead:
            entry.last_run_at = now
        if ahead:
            self._heap = None  # it holds moments of the old clock: it is made anew
        return float(super().tick(*args, **kwargs))
