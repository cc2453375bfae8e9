"""Where a resident model lies, and what tells its weights from others."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import torch

from figurine.engines.workshop import Workshop
from figurine.errors import NoGpu

_TELLING: Final = frozenset({".json", ".safetensors", ".bin"})
_ENDS: Final = 1 << 20
"""Bytes at both ends of a weight's file that tell it from another."""


def device(workshop: Workshop) -> torch.device:
    """The one that the workshop names, or else the first GPU. Raises NoGpu where there is none:
    a CPU is too slow for anybody who did not ask for it."""
    wanted = torch.device(workshop.device or "cuda")
    if wanted.type == "cuda" and not torch.cuda.is_available():
        raise NoGpu("no GPU is found here; DIORAMA_GPU_DEVICE=cpu tries without, for minutes each")
    return wanted


def revision(*folders: Path) -> str:
    """Eight hex digits that tell these weights from others: names, sizes and both ends of each
    file. That the files are the manifest's, `weights verify` says."""
    whole = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            # Not the stamp of `weights verify`, which changes while they do not.
            if path.suffix in _TELLING and not path.name.startswith("."):
                size = path.stat().st_size
                whole.update(f"{path.relative_to(folder)}\0{size}\0".encode())
                with path.open("rb") as file:
                    whole.update(file.read(_ENDS))
                    file.seek(max(0, size - _ENDS))
                    whole.update(file.read(_ENDS))
    return whole.hexdigest()[:8]
