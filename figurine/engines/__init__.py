"""Ways to make a figurine. `load(name)` is the one door; heavy imports stay behind it."""

from __future__ import annotations

from figurine.engines.base import Engine, Progress, silent

__all__ = ["Engine", "Progress", "load", "silent"]


def load(name: str) -> Engine:
    """Return a warm engine of this name. Raises ValueError for an unknown one."""
    if name == "sculpt":
        from figurine.engines.sculpt import SculptEngine  # noqa: PLC0415 - heavy, and only here

        return SculptEngine()
    raise ValueError(f"no engine named {name!r}")
