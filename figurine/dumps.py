"""What a crash writes down of a process that holds faces: nothing."""

from __future__ import annotations

import resource
from typing import Final

_MOST_BYTES: Final = 1
"""No dump is as small. At 0 Linux writes no file either, but still starts a collector of dumps
where the machine has one; at 1 it does not. Source: Linux, fs/coredump.c."""


def forbid() -> None:
    """Keep the memory of this process, and of those it starts, from being dumped in a crash."""
    _, ceiling = resource.getrlimit(resource.RLIMIT_CORE)
    if ceiling:  # nobody may raise a ceiling of 0
        resource.setrlimit(resource.RLIMIT_CORE, (_MOST_BYTES, _MOST_BYTES))
