"""Cases that are many and alike: the suite takes a few of them, `make exhaustive` all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final, TypeVar

import pytest

EXHAUSTIVE: Final = os.environ.get("EXHAUSTIVE", "") not in ("", "0")

_C = TypeVar("_C")

only = pytest.mark.skipif(not EXHAUSTIVE, reason="make exhaustive")
"""A long test beside a short one of the same kind."""


def few(cases: Iterable[_C], *seed: _C) -> list[_C]:
    """All cases, or in the suite those of the seed, each of which must be one of them."""
    every = list(cases)
    missing = [case for case in seed if case not in every]
    assert not missing, missing
    return every if EXHAUSTIVE else [case for case in every if case in seed]
