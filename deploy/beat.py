"""The clock of the sweeps: Celery's, but one that does not stop while the machine's is set back."""

from __future__ import annotations

from typing import Any

from celery.beat import PersistentScheduler


class Scheduler(PersistentScheduler):
    """What ran last at a moment that has not come yet counts as run now.

    Celery waits until the clock is there again: for hours, where a machine started with a clock
    that was hours ahead. A start anew is no help, since the file tells when each task ran.
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
