"""What a process holds of the machine's memory, as it would without what tests alone install."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType


def status_mb(field: str) -> float:
    """Of this process, as Linux counts it: VmRSS now, VmHWM at its highest."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    assert found is not None
    return int(found[1]) / 1024


def forget_torch() -> None:
    """Hide torch from who would import it from now on: pyoidn does where it can, and 190 MB that no
    worker has would count as the engine's."""
    sys.meta_path.insert(0, _NoTorch())


class _NoTorch(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname == "torch":
            raise ModuleNotFoundError(fullname)
