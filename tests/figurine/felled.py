"""Work that ends badly, for `apart.run`: by a signal, or for want of memory where that is 0."""

from __future__ import annotations

import os

import numpy as np

from figurine import apart


def _fell(given: apart.Arrays) -> dict[str, object]:
    if given["by"]:
        os.kill(os.getpid(), int(given["by"]))
    return {"huge": np.empty(1 << 50)}


if __name__ == "__main__":
    apart.serve(_fell)
