"""Ways to make a figurine. `load(name)` is the one door; heavy imports stay behind it."""

from __future__ import annotations

from figurine.engines.base import Engine, Progress, silent
from figurine.engines.workshop import Workshop

__all__ = ["Engine", "Progress", "Workshop", "load", "silent"]


def load(name: str, workshop: Workshop | None = None) -> Engine:
    """Return an engine of this name, not yet warm. Raises ValueError for an unknown one."""
    if name == "sculpt":
        from figurine.engines.sculpt import SculptEngine  # noqa: PLC0415 - heavy, and only here

        return SculptEngine()
    if name == "klein":
        from figurine.engines.klein import KleinEngine  # noqa: PLC0415 - only where it is asked for

        return KleinEngine(workshop or Workshop())
    if name == "hosted":
        from figurine.engines.hosted.engine import HostedEngine  # noqa: PLC0415 - likewise

        return HostedEngine(workshop or Workshop())
    raise ValueError(f"no engine named {name!r}")
