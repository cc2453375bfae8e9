"""What an installation gives its engines to work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Workshop:
    """Read from the environment by whoever loads an engine; the library never looks there."""

    weights: Path = Path("weights")
    """Folder of the model files that `weights fetch` brings (figurine/weights)."""
    licences: frozenset[str] = frozenset()
    """Names of weights that are not for commercial use and for which the crew bought a licence."""
    is_production: bool = True
    """Whether weights without a licence for commercial use are refused."""
    prompts: Path = Path("prompts")
    """Folder in which prompt embeddings are kept between starts."""
    device: str = ""
    """torch's name of it, such as "cuda:0"; empty: the first GPU. Only "cpu" does without one."""
    levers: tuple[str, ...] = ()
    """Names of the speed levers to pull (klein/levers.py)."""
    batch: int = 8
    """Most figurines that share one pass; less where memory does not suffice."""
    hosted_key: str = field(default="", repr=False)
    """The hosted engine's key; it never stands in a log."""
    hosted_queue: str = "https://queue.fal.run"
    """Base address of the hosted engine's queue."""
    hosted_webhook: str = ""
    """Where the hosted engine tells of results; empty: it is asked again and again."""
