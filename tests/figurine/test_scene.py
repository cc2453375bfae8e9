"""engines/sculpt/scene and meshes: what is traced and denoised, whole and in parts."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from figurine.engines.sculpt import compose, meshes, scene
from figurine.kits import body, load


def test_body_thinned_for_the_crop_looks_the_same_in_it() -> None:
    kit = load("soldier")
    size_px, finish = (270, 338), kit.finish("painted")
    box = compose.crop_box(kit, size_px)
    whole = body.load(kit.baked("body.xz")).above(0.98)
    thin = meshes.thinned(whole, [kit.camera], size_px, box)
    pictures = [
        scene.trace(
            scene.stage(
                {"body": meshes.body_shape(shown, finish)}, kit.camera, size_px=size_px, crop_px=box
            ),
            spp=32,
            seed=seed,
            step=lambda done: None,
        )
        for seed, shown in ((1, whole), (2, whole), (1, thin))
    ]
    grain, change = (float(np.abs(other - pictures[0]).mean()) for other in pictures[1:])
    assert len(thin.faces) < len(whole.faces) / 2
    assert change < 1.5 * grain


def test_scene_is_traced_without_a_denoiser_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux arm64 there is none: the picture is grainier, and there."""
    monkeypatch.setitem(sys.modules, "pyoidn", None)
    noisy = np.random.default_rng(1).random((4, 4, 3)).astype(np.float32)
    assert (scene.denoised(noisy, noisy, noisy) == noisy).all()


def test_strips_are_denoised_as_the_whole_is_and_show_no_border() -> None:
    """A ramp with grain: what is left of it is as small, and as small where strips meet."""
    pytest.importorskip("pyoidn")
    ramp = np.linspace(0.2, 0.8, 400, dtype=np.float32)[:, None, None] * np.ones((1, 200, 3))
    own, bent = np.full_like(ramp, 0.5), np.broadcast_to([0, 0, 1], ramp.shape)
    noisy = ramp * np.random.default_rng(3).uniform(0.5, 1.5, ramp.shape[:2])[..., None]
    whole = scene.denoised(noisy, own, bent)
    strips = scene.denoised(noisy, own, bent, most_px=20_000)
    assert np.abs(strips - whole).mean() < 0.01
    left = np.abs(strips - ramp).mean(axis=(1, 2))
    assert left[80:-80].max() < 2 * np.abs(whole - ramp).mean(axis=(1, 2))[80:-80].max()
    assert (scene.denoised(noisy, own, bent, most_px=20_000) == strips).all()
