"""mitsuba on the fastest processor there is here: a GPU, a CPU with LLVM, or a CPU alone."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import suppress
from functools import cache
from typing import Any, Final

VARIANTS: Final = ("cuda_ad_rgb", "llvm_ad_rgb", "scalar_rgb")
"""The fastest first. Of each, the same seed gives the same bytes; between them, grain differs."""
_LIBRARIES = ("libLLVM-19.so", "libLLVM.so.19.1")
"""Debian's `libllvm19`. With versions 14 and 15 mitsuba 3.9 fails."""


@cache
def mitsuba() -> Any:
    """mitsuba, its variant chosen: `SCULPT_VARIANT`, or else the fastest that runs here."""
    import mitsuba as mi  # noqa: PLC0415 - heavy, and only in a worker

    mi.set_variant(os.environ.get("SCULPT_VARIANT") or fastest())
    mi.set_log_level(mi.LogLevel.Error)
    return mi


def variant() -> str:
    """The chosen one's short name: "cuda", "llvm" or "scalar"."""
    return str(mitsuba().variant()).partition("_")[0]


def give_back() -> None:
    """Hand the system what memory was freed: Dr.Jit keeps it for itself, and so does glibc where it
    lies between what is in use; Python waits to look for what is held by itself alone. 250 MB of a
    squad's 1.2 GB, before its scene is made."""
    gc.collect()
    drjit: Any = sys.modules.get("drjit")
    if drjit is not None:  # who makes solids alone has never needed it
        drjit.flush_malloc_cache()
    with suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


_keeps_to_cpu = False


def keep_to_cpu() -> None:
    """Leave the GPU to whoever paints on it in this process: beside a model, scenes of the path
    tracer would take memory that passes were measured by. Asked for before mitsuba is; what
    `SCULPT_VARIANT` names is taken all the same."""
    global _keeps_to_cpu
    _keeps_to_cpu = True


def fastest() -> str:
    if not _keeps_to_cpu and _gpus():
        return "cuda_ad_rgb"
    return "llvm_ad_rgb" if _llvm() else "scalar_rgb"


def _gpus() -> int:
    """How many NVIDIA GPUs can trace: 0 without a driver, or without its OptiX, which containers
    lack unless they are given the capability "graphics"."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        ctypes.CDLL("libnvoptix.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def _llvm() -> bool:
    """Whether LLVM can be loaded: from DRJIT_LIBLLVM_PATH, or where the system keeps it.

    Empty, the variable says that there is none. Raises OSError if what it names cannot be loaded.
    """
    named = os.environ.get("DRJIT_LIBLLVM_PATH")
    if named:
        ctypes.CDLL(named)
    if named is not None:
        return bool(named)
    for library in _LIBRARIES:
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        os.environ["DRJIT_LIBLLVM_PATH"] = library
        return True
    return False
