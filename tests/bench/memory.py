"""What a process holds of the machine's memory, as it would without what tests alone install."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType


def status_mb(field: str, pid: int | str = "self") -> float:
    """Of a process, as Linux counts it: VmRSS now, VmHWM at its highest; 0 where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.M)
    return int(found[1]) / 1024 if found else 0.0


class Together:
    """The most that this process and its children hold at one time while the block runs, seen
    every STEP_S."""

    STEP_S = 0.02
    peak_mb = 0.0

    def __enter__(self) -> Together:
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._done.wait(self.STEP_S):
            tasks = Path("/proc/self/task").iterdir()
            children = [pid for task in tasks for pid in _children(task)]
            now_mb = sum(status_mb("VmRSS", pid) for pid in ("self", *children))
            self.peak_mb = max(self.peak_mb, now_mb)


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []


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
