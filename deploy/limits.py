"""What the system allows the product's processes."""

from __future__ import annotations

import resource
from typing import Final

OPEN_FILES: Final = 65_536
"""Every phone that waits and every screen is one in the web process."""


def raise_open_files() -> int:
    """Ask for as many open files as this process, and those it starts, may have; a login shell or a
    service gives 1,024 by itself. Returns how many it is.

    Sources: getrlimit(2); sys/syslimits.h of macOS, which takes no more than OPEN_MAX.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    for limit in (wanted, 10_240):
        if soft != resource.RLIM_INFINITY and soft < limit:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            except (ValueError, OSError):  # macOS takes less than it says
                continue
            return limit
    return soft
