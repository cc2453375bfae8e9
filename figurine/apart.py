"""Work on arrays in a process of its own, whose memory is gone when it ends."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from figurine.errors import FigurineError, OutOfMemory, by_code
from figurine.types import Array

Arrays = Mapping[str, Array]

_REFUSED: Final = 65
"""Exit status of work that ends in a FigurineError, which is then on standard output. Source:
sysexits.h, EX_DATAERR."""


def run(
    module: str, arrays: Mapping[str, Any], *, environment: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Array]:
    """What the module makes of the arrays: its `serve` is called there.

    Raises the FigurineError that was raised there, OutOfMemory where the process was killed, and
    RuntimeError where it broke.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    done = subprocess.run(  # noqa: S603 - a module of our own
        [sys.executable, "-P", "-m", module],
        input=buffer.getbuffer(),
        stdout=subprocess.PIPE,
        # Nothing of the parent's secrets.
        env={"PYTHONPATH": str(Path(__file__).parents[1]), **environment},
    )
    if done.returncode < 0:
        raise OutOfMemory(f"{module} was ended by signal {-done.returncode}")
    if done.returncode == _REFUSED:
        report = json.loads(done.stdout)
        raise by_code(report["code"], report["detail"])
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}")
    with np.load(io.BytesIO(done.stdout)) as file:
        return dict(file)


def serve(work: Callable[[Arrays], Mapping[str, Any]]) -> None:
    """Do it once: arrays from standard input to standard output."""
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as file:
        given = dict(file)
    try:
        made = work(given)
    except MemoryError as error:
        _refuse(OutOfMemory(str(error)))
    except FigurineError as error:
        _refuse(error)
    else:
        np.savez(sys.stdout.buffer, **made)


def _refuse(error: FigurineError) -> None:
    sys.stdout.write(json.dumps({"code": error.code, "detail": str(error)}))
    sys.exit(_REFUSED)
