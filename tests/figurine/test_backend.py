"""backend.py: the fastest of mitsuba's variants that runs here is taken, or the one asked for."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from figurine.engines.sculpt import backend

_ASK = "from figurine.engines.sculpt.backend import mitsuba; print(mitsuba().variant())"


_BESIDE_A_MODEL = """
from figurine.engines.sculpt import backend
backend._gpus = lambda: 1
assert backend.fastest() == "cuda_ad_rgb"
from figurine.engines.klein import KleinEngine
from figurine.engines.workshop import Workshop
KleinEngine(Workshop())._sculpt()
print(backend.mitsuba().variant())
"""


_FREE = """
from figurine.engines.sculpt.backend import give_back, mitsuba
from tests.bench.memory import status_mb
mitsuba()
held = [b"x" * 100_000 for _ in range(2000)]
last = held.pop()  # glibc gives back by itself what has nothing alive behind it
del held
before = status_mb("VmRSS")
give_back()
print(before - status_mb("VmRSS"))
"""


@pytest.mark.parametrize(
    ("given", "variant"),
    [
        ({"SCULPT_VARIANT": "scalar_rgb"}, "scalar_rgb"),
        ({"DRJIT_LIBLLVM_PATH": "", "CUDA_VISIBLE_DEVICES": ""}, "scalar_rgb"),
    ],
)
def test_variant_is_the_one_asked_for_or_the_plain_one(given: dict[str, str], variant: str) -> None:
    assert _asked(given).stdout.split() == [variant]


def test_painter_on_a_gpu_has_its_poses_traced_on_the_cpu() -> None:
    told = _asked({"DRJIT_LIBLLVM_PATH": ""}, code=_BESIDE_A_MODEL)
    assert told.stdout.split() == ["scalar_rgb"], told.stderr
    named = {"DRJIT_LIBLLVM_PATH": "", "SCULPT_VARIANT": "scalar_spectral"}
    assert _asked(named, code=_BESIDE_A_MODEL).stdout.split() == ["scalar_spectral"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_that_was_freed_is_given_back() -> None:
    freed_mb = float(_asked({"SCULPT_VARIANT": "scalar_rgb"}, code=_FREE).stdout)
    assert freed_mb > 150


def test_llvm_named_wrongly_is_said() -> None:
    said = _asked({"DRJIT_LIBLLVM_PATH": "/nowhere.so", "CUDA_VISIBLE_DEVICES": ""})
    assert said.returncode != 0
    assert "/nowhere.so" in said.stderr


def test_fastest_variant_runs_here() -> None:
    mi = backend.mitsuba()
    assert backend.fastest() in backend.VARIANTS
    assert mi.variant() in mi.variants()
    picture = mi.render(mi.load_dict(mi.cornell_box() | {"sensor": _small(mi)}), spp=1)
    assert picture.shape == (8, 8, 3)


def _asked(given: dict[str, str], *, code: str = _ASK) -> subprocess.CompletedProcess[str]:
    """What a process of its own says with these variables: which variant it takes."""
    kept = {name: value for name, value in os.environ.items() if name != "SCULPT_VARIANT"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **given},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


def _small(mi: object) -> dict[str, object]:
    return {
        "type": "perspective",
        "film": {"type": "hdrfilm", "width": 8, "height": 8, "rfilter": {"type": "box"}},
    }
