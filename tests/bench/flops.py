"""What a picture costs, whatever the card: `python -m tests.bench.flops`.

Every model at full size on torch's "meta" device, where a pass has shapes and no numbers: nothing
is downloaded and no GPU is needed. A multiplication with its addition is two FLOPs; only matrix
products, convolutions and attention count, as in torch.utils.flop_counter.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, get_args

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from figurine.engines.klein import flux, frame, qwen
from figurine.engines.klein import sdxl as painter
from figurine.engines.klein.painter import Commission, References
from figurine.engines.klein.pipeline import STEPS
from figurine.engines.klein.references import SELFIE_PX
from tests.bench import models

Size = tuple[int, int]
"""Height and width in px."""
Way = Literal["selfie", "two", "composite", "inpaint"]
"""The engine's ways, and "selfie": one reference of 512² alone, which the goals speak of."""
TERA: Final = 10**12
_PATCH_PX: Final = 16
"""Side of what one token shows, in klein and in Qwen-Image."""
_QWEN_SHOWN: Final = (1024, 1024)
"""diffusers scales each of Qwen-Image-Edit's references to a megapixel (VAE_IMAGE_SIZE)."""
_QWEN_TEXT: Final = 640
"""Tokens: two pictures of 196 (384² in patches of 28), and a template and prompt of 248 or less."""


@dataclass(frozen=True)
class Cost:
    """FLOPs of one picture."""

    recipe: str
    size: Size
    denoise: int
    """Of one pass of the denoiser."""
    passes: int
    encode: int
    """Of all references."""
    decode: int
    text: int = 0
    """0 where prompts' embeddings are kept on disk."""

    @property
    def whole(self) -> int:
        return self.denoise * self.passes + self.encode + self.decode + self.text


def counted(work: Callable[[], object]) -> int:
    """FLOPs of a call, made on "meta"."""
    with FlopCounterMode(display=False) as counter, torch.no_grad(), torch.device("meta"):
        work()
    return int(counter.get_total_flops())


def klein(way: Way, size: Size, kind: models.Klein = models.KLEIN_4B) -> Cost:
    """By the references that the painter really shows; the prompt's embedding is on disk."""
    references = shown(way, size)
    return Cost(
        recipe=f"klein-4B, {way}",
        size=size,
        denoise=klein_step([size, *references], kind),
        passes=STEPS,
        encode=sum(klein_encode(each, kind) for each in references),
        decode=klein_decode(size, kind),
    )


def shown(way: Way, size: Size) -> list[Size]:
    """Sizes of the references that the model sees of one person."""
    selfie = (SELFIE_PX, SELFIE_PX)
    if way == "selfie":
        return [selfie]
    if way == "inpaint":  # what is painted over is shown as well, whole
        return [size, selfie]
    return [picture.shape[:2] for picture in flux._shown(blank(size, way), way)]


def blank(size: Size, way: References = "two", seed: int = 0) -> Commission:
    """A commission whose pictures are noise."""
    height, width = size
    noise = np.random.default_rng(seed)
    return Commission(
        prompt="a figurine of this person",
        pose=noise.integers(0, 256, (height, width, 3), np.uint8),
        selfie=noise.integers(0, 256, (SELFIE_PX, SELFIE_PX, 3), np.uint8),
        faces=((width * 3 // 8, height // 5, width // 4, height // 4),),
        seed=seed,
        references=way,
    )


def klein_step(pictures: Sequence[Size], kind: models.Klein = models.KLEIN_4B) -> int:
    """One pass over the tokens of these pictures, the painted one among them, and the prompt's."""
    transformer = _on_meta(kind.transformer)
    count = sum(_tokens(size) for size in pictures)
    return counted(
        lambda: transformer(
            hidden_states=torch.empty(1, count, transformer.config.in_channels),
            encoder_hidden_states=torch.empty(1, models.TEXT_TOKENS, kind.embed_width),
            timestep=torch.empty(1),
            img_ids=torch.empty(1, count, 4),
            txt_ids=torch.empty(1, models.TEXT_TOKENS, 4),
        )
    )


def klein_encode(size: Size, kind: models.Klein = models.KLEIN_4B) -> int:
    vae = _on_meta(kind.vae)
    return counted(lambda: vae.encode(torch.empty(1, 3, *size)))


def klein_decode(size: Size, kind: models.Klein = models.KLEIN_4B) -> int:
    vae = _on_meta(kind.vae)
    return counted(lambda: vae.decode(torch.empty(1, vae.config.latent_channels, *_latent(size))))


def tiny_decode(size: Size) -> int:
    """By a decoder of TAESD's published shape over klein's 32 channels, for previews."""
    tiny = _on_meta(models.tiny_vae)
    return counted(
        lambda: tiny.decoder(torch.empty(1, tiny.config.latent_channels, *_latent(size)))
    )


def qwen3(*, logits: bool) -> int:
    """klein's text encoder over one padded prompt."""
    encoder = _on_meta(models.qwen3_4b)
    # A mask as "meta" cannot look into one: causal attention costs the same with and without.
    read = encoder if logits else encoder.model
    ids = torch.zeros(1, models.TEXT_TOKENS, dtype=torch.long, device="meta")
    mask = {"full_attention": None}
    return counted(lambda: read(input_ids=ids, attention_mask=mask, use_cache=False))


def qwen_edit(size: Size) -> Cost:
    """Two references, with guidance. The pictures are part of what the text encoder reads, so its
    work is each person's own; its vision tower is not counted (torch has no "meta" for it)."""
    transformer, vae = _on_meta(models.qwen_transformer), _on_meta(models.qwen_vae)
    language = _on_meta(models.qwen_language)
    pictures = [size, _QWEN_SHOWN, _QWEN_SHOWN]
    text = (1, _QWEN_TEXT, transformer.config.joint_attention_dim)
    mask = {"full_attention": None}
    step = counted(
        lambda: transformer(
            hidden_states=torch.empty(1, sum(map(_tokens, pictures)), 64),
            encoder_hidden_states=torch.empty(text),
            timestep=torch.empty(1),
            img_shapes=[[(1, high // _PATCH_PX, wide // _PATCH_PX) for high, wide in pictures]],
        )
    )
    return Cost(
        recipe="Qwen-Image-Edit-2509, two",
        size=size,
        denoise=step,
        passes=2 * qwen.STEPS,  # with and without the prompt
        encode=2 * counted(lambda: vae.encode(torch.empty(1, 3, 1, *_QWEN_SHOWN))),
        decode=counted(lambda: vae.decode(torch.empty(1, 16, 1, *_latent(size)))),
        text=2
        * counted(
            lambda: language(inputs_embeds=torch.empty(text), attention_mask=mask, use_cache=False)
        ),
    )


def sdxl(size: Size) -> Cost:
    """With guidance, painted over the pose. FaceID's four more tokens and CLIP's two text encoders
    are not counted."""
    unet, vae = _on_meta(models.sdxl_unet), _on_meta(models.sdxl_vae)
    latent = (1, 4, *_latent(size))
    step = counted(
        lambda: unet(
            torch.empty(latent),
            torch.empty(1),
            torch.empty(1, 77 * painter.WINDOWS, 2048),
            added_cond_kwargs={"text_embeds": torch.empty(1, 1280), "time_ids": torch.empty(1, 6)},
        )
    )
    return Cost(
        recipe="SDXL with FaceID",
        size=size,
        denoise=step,
        passes=2 * int(painter.STEPS * painter.STRENGTH),
        encode=counted(lambda: vae.encode(torch.empty(1, 3, size[1], size[0]))),
        decode=counted(lambda: vae.decode(torch.empty(latent))),
    )


def table() -> str:
    """Markdown, in TFLOP."""
    lines = [
        "| recipe | picture | one pass | passes | references in | picture out | text | an image |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for wide, high in frame.FRAMES.values():
        size = (high, wide)
        ways: tuple[Way, ...] = get_args(Way)
        for cost in [*(klein(way, size) for way in ways), qwen_edit(size), sdxl(size)]:
            parts = (cost.encode, cost.decode, cost.text)
            cells = [f"{part / TERA:.1f}" if part else "-" for part in parts]
            lines.append(
                f"| {cost.recipe} | {wide} x {high} | {cost.denoise / TERA:.2f} | {cost.passes} | "
                f"{' | '.join(cells)} | {cost.whole / TERA:,.0f} |"
            )
    lines += [
        "",
        f"Qwen3-4B over {models.TEXT_TOKENS} tokens, once a prompt and then on disk: "
        f"{qwen3(logits=False) / TERA:.2f} TFLOP, and {qwen3(logits=True) / TERA:.2f} with the "
        "logits, which diffusers computes and nobody reads.",
        "",
        f"A preview by a tiny decoder of 1024 x 1024: {tiny_decode((1024, 1024)) / TERA:.2f} TFLOP"
        f", against {klein_decode((1024, 1024)) / TERA:.1f} by klein's own.",
    ]
    return "\n".join(lines)


def main() -> int:
    print(table())
    return 0


@cache
def _on_meta(build: models.Build) -> Any:
    with torch.device("meta"):
        return build()


def _tokens(size: Size) -> int:
    return (size[0] // _PATCH_PX) * (size[1] // _PATCH_PX)


def _latent(size: Size) -> Size:
    """Of autoencoders that halve three times, as all of these do."""
    return size[0] // 8, size[1] // 8


if __name__ == "__main__":
    sys.exit(main())
