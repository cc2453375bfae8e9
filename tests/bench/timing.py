"""Seconds, and what lies in the middle and at the end of many of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def p(seconds: Sequence[float], percent: int) -> float:
    """A percentile, 1 to 99."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1]
