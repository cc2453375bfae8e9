"""The count of FLOPs: what was counted before by others, and what the painter really shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from figurine.engines.klein.flux import KleinPainter
from figurine.engines.klein.painter import References
from figurine.engines.klein.pipeline import STEPS, PeoplePipeline
from figurine.engines.klein.prompts import Embeddings
from figurine.weights import manifest
from tests.bench import flops, models
from tests.figurine import tiny

SQUARE = (1024, 1024)
WITHIN = 0.02


@pytest.mark.parametrize(
    ("references", "teraflops"), [([], 34.8), ([(512, 512)], 44.3), ([SQUARE], 76.7)]
)
def test_klein_step_costs_what_was_counted(references: list[flops.Size], teraflops: float) -> None:
    step = flops.klein_step([SQUARE, *references]) / flops.TERA
    assert step == pytest.approx(teraflops, rel=WITHIN)


def test_decode_and_prompt_cost_what_was_counted() -> None:
    assert flops.klein_decode(SQUARE) / flops.TERA == pytest.approx(10.5, rel=WITHIN)
    assert flops.qwen3(logits=False) / flops.TERA == pytest.approx(3.9, rel=WITHIN)


def test_tiny_decoder_is_a_small_part_of_a_step() -> None:
    """What the docs say of previews: it costs little, and saves nothing of a figurine."""
    tiny = flops.tiny_decode(SQUARE)
    assert 0 < tiny < flops.klein_decode(SQUARE) / 5
    assert tiny < flops.klein_step([SQUARE]) / 10


def test_sdxl_costs_what_was_counted() -> None:
    cost = flops.sdxl(SQUARE)
    # 6.76 with 77 tokens of text; the painter reads three times as many.
    assert 6.76 < cost.denoise / flops.TERA < 6.76 * 1.03
    assert cost.decode / flops.TERA == pytest.approx(10.5, rel=WITHIN)
    assert cost.passes == 36, "18 of 30 steps are left after the pose, of two passes each"
    assert cost.whole == 36 * cost.denoise + cost.encode + cost.decode


@pytest.mark.parametrize(
    ("build", "name", "part"),
    [
        (models.klein_transformer, "klein-4b", "transformer/"),
        (models.klein_vae, "klein-4b", "vae/"),
        (models.qwen3_4b, "klein-4b", "text_encoder/"),
        (models.qwen_transformer, "qwen-image-edit-2509", "transformer/"),
        (models.qwen_vae, "qwen-image-edit-2509", "vae/"),
        (models.sdxl_unet, "sdxl-base", "unet/"),
        (models.sdxl_vae, "sdxl-base", "vae/"),
    ],
)
def test_model_is_as_large_as_its_published_files(
    build: models.Build, name: str, part: str
) -> None:
    ours = 2 * sum(weight.numel() for weight in flops._on_meta(build).parameters())
    files = [file for file in manifest.named(name).files if file.path.startswith(part)]
    theirs = sum(file.bytes for file in files if file.path.endswith(".safetensors"))
    assert ours == pytest.approx(theirs, rel=1e-3)  # the files' headers are the rest


@pytest.mark.parametrize("way", get_args(References))
def test_count_is_of_the_tokens_that_the_painter_shows(way: References, tmp_path: Path) -> None:
    pipeline = PeoplePipeline(**tiny.components(encoder=False))
    painter = KleinPainter(
        pipeline,
        embeddings=Embeddings(tmp_path, revision="", encode=lambda texts: tiny.embeds()),
        version="tiny",
        width_px=192,
        height_px=256,
    )
    seen = _shapes(pipeline.transformer)
    painter.paint([flops.blank((256, 192), way)], step=lambda number, steps: None)
    tokens = sum(high * wide for high, wide in [(256, 192), *flops.shown(way, (256, 192))])
    assert seen == [(1, tokens // 16**2, 4)] * STEPS


def _shapes(transformer: torch.nn.Module) -> list[tuple[int, ...]]:
    """Of what the denoiser is given from now on."""
    seen: list[tuple[int, ...]] = []

    def see(_: Any, __: Any, given: dict[str, Any]) -> None:
        seen.append(tuple(given["hidden_states"].shape))

    transformer.register_forward_pre_hook(see, with_kwargs=True)
    return seen
