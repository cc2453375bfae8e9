"""Where a resident model lies, and what tells its weights from others."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import torch

from figurine.engines.workshop import Workshop

_ENDS: Final = 1 << 20
"""Bytes at both ends of a weight's file that tell it from another."""


def device(workshop: Workshop) -> torch.device:
    """The one that the workshop names; else a GPU if there is one, else the CPU."""
    return torch.device(workshop.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def revision(*folders: Path) -> str:
    """Eight hex digits that tell these weights from others: names, sizes and both ends of each
    file. That the files are the manifest's, `weights verify` says."""
    whole = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".json", ".safetensors", ".bin"}:
                size = path.stat().st_size
                whole.update(f"{path.relative_to(folder)}\0{size}\0".encode())
                with path.open("rb") as file:
                    whole.update(file.read(_ENDS))
                    file.seek(max(0, size - _ENDS))
                    whole.update(file.read(_ENDS))
    return whole.hexdigest()[:8]
