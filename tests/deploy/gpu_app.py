"""The workers' application with a painter that needs no weights, for test_gpu_worker.py alone.

Everything else is the real thing. Its first warm-up hangs where HANG_ONCE names a file to make.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from deploy.celery import app
from figurine import engines
from figurine.engines.klein import KleinEngine
from figurine.engines.klein.painter import Commission, Step
from figurine.types import Pixels

__all__ = ["app"]


class Painter:
    name = "test"
    version = "test"
    width_px = 64
    height_px = 64
    wants_identity = False

    def warm_up(self, batch: int) -> None:
        hangs = Path(os.environ["HANG_ONCE"])
        if not hangs.exists():
            hangs.touch()
            ctypes.PyDLL(None).sleep(60)  # as a driver's call: no thread gets a turn

    def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
        return [one.pose for one in commissions]

    def refine(
        self, commissions: Sequence[Commission], drafts: Sequence[Pixels], *, step: Step
    ) -> list[Pixels]:
        return list(drafts)


def load(name: str, workshop: engines.Workshop) -> engines.Engine:
    assert name == "klein"
    return KleinEngine(settings.WORKSHOP, painter=Painter())


engines.load = load  # type: ignore[assignment]
