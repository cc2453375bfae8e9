"""The painter that klein is named after: FLUX.2-klein-4B, resident on one device."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, get_args

import numpy as np
import torch

from figurine import weights
from figurine.engines.klein import frame, inpaint, prompts, references, resident
from figurine.engines.klein.painter import Commission, References, Step
from figurine.engines.klein.pipeline import PeoplePipeline
from figurine.engines.workshop import Workshop
from figurine.errors import MissingModel
from figurine.types import Pixels

WEIGHTS: Final = "klein-4b"
_POSE_SHARE: Final = 0.5
"""Of the frame's sides, for the pose as one of two references: pose, light and framing are seen in
a quarter of the tokens. A step at 1024² is 34.8 TFLOP, a reference of 512² adds 9.5, one of 1024²
41.9 (on meta tensors).
"""
_ENCODER_AT_ONCE: Final = 4
"""Prompts a pass of the text encoder, which may share the card with the transformer."""
_ROOM: Final = 1.2
"""Of the text encoder's size: free memory without which it runs on the CPU."""

Collect = Callable[[], list[Pixels]]
"""Waits for a pass's pictures, (H, W, 3) uint8 each."""


class KleinPainter:
    """Several people a pass. Prompts' embeddings are found or made by `embeddings`, so that the
    pipeline needs no text encoder."""

    name = "klein"
    wants_identity = False
    needs: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    def __init__(
        self,
        pipeline: PeoplePipeline,
        *,
        embeddings: prompts.Embeddings,
        version: str,
        width_px: int = frame.FRAMES["square"][0],
        height_px: int = frame.FRAMES["square"][1],
        is_compiled: bool = False,
    ) -> None:
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline, self._embeddings = pipeline, embeddings
        self._inpainting = inpaint.inpainting(pipeline)
        self._device = torch.device(pipeline.device)
        on_card = self._device.type == "cuda"
        self._beside = torch.cuda.Stream(self._device) if on_card else None
        self.version, self.is_compiled = version, is_compiled
        self.width_px, self.height_px = width_px, height_px

    @classmethod
    def load(cls, workshop: Workshop, *, width_px: int, height_px: int) -> KleinPainter:
        """Raises MissingModel."""
        folder = weights.folder(WEIGHTS, workshop)
        return cls.from_folder(folder, workshop, width_px=width_px, height_px=height_px)

    @classmethod
    def from_folder(
        cls, folder: Path, workshop: Workshop, *, width_px: int, height_px: int
    ) -> KleinPainter:
        """From a folder as diffusers keeps it; bf16 on a GPU, float32 on a CPU. What the library
        can be asked for is encoded before the transformer comes: a card need never hold the text
        encoder beside it. Raises MissingModel.
        """
        device = resident.device(workshop)
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        revision = f"{resident.revision(folder)}.{str(dtype).removeprefix('torch.')}"
        embeddings = prompts.Embeddings(
            workshop.prompts,
            revision=revision,
            encode=lambda texts: _encoded(folder, texts, device, dtype),
        )
        try:
            embeddings.prepare(
                [text for way in get_args(References) for text in prompts.shelf(way)]
            )
            pipeline = PeoplePipeline.from_pretrained(
                folder,
                text_encoder=None,
                tokenizer=None,
                dtype=dtype,
                local_files_only=True,
            ).to(device)
        except (OSError, ValueError) as error:
            raise MissingModel(
                f"{folder} is not whole: run manage.py weights fetch {WEIGHTS} ({error})"
            ) from error
        if workshop.levers:
            from figurine.engines.klein import levers  # noqa: PLC0415 - torchao, only where asked

            levers.pull(pipeline, workshop.levers)
        pulled = f"+{prompts.digest(' '.join(workshop.levers))[:4]}" if workshop.levers else ""
        return cls(
            pipeline,
            embeddings=embeddings,
            version=f"{WEIGHTS}@{revision.split('.')[0]}{pulled}",
            width_px=width_px,
            height_px=height_px,
            is_compiled=any("compile" in name for name in workshop.levers),
        )

    def at(self, width_px: int, height_px: int) -> KleinPainter:
        """The same model for another frame."""
        return KleinPainter(
            self._pipeline,
            embeddings=self._embeddings,
            version=self.version,
            width_px=width_px,
            height_px=height_px,
            is_compiled=self.is_compiled,
        )

    def warm_up(self, batch: int) -> None:
        grey = np.full((self.height_px, self.width_px, 3), 128, np.uint8)
        side = references.SELFIE_PX
        nobody = Commission(
            prompt=next(prompts.shelf("two")),
            pose=grey,
            selfie=np.full((side, side, 3), 128, np.uint8),
            faces=((0, 0, self.width_px, self.height_px),),
            seed=0,
        )
        painted = self.paint([nobody] * batch, step=lambda number, steps: None)
        if self.is_compiled:  # faces are painted at other sizes, so by another graph
            self.refine([nobody], painted[:1], step=lambda number, steps: None)

    def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
        return self.begin(commissions, step=step)()

    def begin(self, commissions: Sequence[Commission], *, step: Step) -> Collect:
        """Start a pass; what it returns waits for its pictures. On a GPU they are decoded and
        copied beside whatever is started next."""
        (way,) = {commission.references for commission in commissions}
        if way == "inpaint":
            painted = self._paint_faces(
                commissions, [each.pose for each in commissions], inpaint.FROM_NOISE, step
            )
            return lambda: painted
        latents = self._pipeline.serve(
            [_shown(commission, way) for commission in commissions],
            prompt_embeds=self._embeds(commissions),
            seeds=[commission.seed for commission in commissions],
            width_px=self.width_px,
            height_px=self.height_px,
            step=step,
        )
        return self._decoding(latents)

    def refine(
        self, commissions: Sequence[Commission], drafts: Sequence[Pixels], *, step: Step
    ) -> list[Pixels]:
        return self._paint_faces(commissions, drafts, inpaint.FROM_DRAFT, step)

    def _paint_faces(
        self,
        commissions: Sequence[Commission],
        pictures: Sequence[Pixels],
        strength: float,
        step: Step,
    ) -> list[Pixels]:
        return inpaint.paint_faces(
            self._inpainting,
            pictures,
            faces=[commission.faces for commission in commissions],
            selfies=[commission.selfie for commission in commissions],
            prompt_embeds=self._embeds(commissions),
            seeds=[commission.seed for commission in commissions],
            strength=strength,
            step=step,
        )

    def _embeds(self, commissions: Sequence[Commission]) -> torch.Tensor:
        embeds = self._embeddings.of([commission.prompt for commission in commissions])
        return embeds.to(self._device, self._pipeline.transformer.dtype)

    def _decoding(self, latents: torch.Tensor) -> Collect:
        """Decode on a stream of its own, into pinned memory: the next pass need not wait."""
        if self._beside is None:
            return lambda: list(self._pipeline.pictures(latents).cpu().numpy())
        self._beside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._beside):
            pictures = self._pipeline.pictures(latents)
            latents.record_stream(self._beside)
            pinned = torch.empty(pictures.shape, dtype=pictures.dtype, pin_memory=True)
            pinned.copy_(pictures, non_blocking=True)
            done = torch.cuda.Event()
            done.record()

        def collect() -> list[Pixels]:
            done.synchronize()
            return list(pinned.numpy())

        return collect


def _shown(commission: Commission, way: References) -> list[Pixels]:
    if way == "composite":
        return [references.composite(commission.pose, commission.selfie)]
    height, width = commission.pose.shape[:2]
    small = frame.resized(commission.pose, _whole(width), _whole(height))
    return [small, commission.selfie]


def _whole(side_px: int) -> int:
    """A side of the pose's reference, in whole patches."""
    return round(side_px * _POSE_SHARE / 16) * 16


def _encoded(
    folder: Path, texts: Sequence[str], device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    """Load the text encoder, encode, let it go. (N, 512, D) on the CPU."""
    from transformers import AutoTokenizer, Qwen3ForCausalLM  # noqa: PLC0415 - seldom needed

    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    encoder: Any = Qwen3ForCausalLM.from_pretrained(
        folder / "text_encoder", local_files_only=True, dtype=dtype
    ).eval()
    if device.type == "cuda":
        size = sum(weight.numel() * weight.element_size() for weight in encoder.parameters())
        if torch.cuda.mem_get_info(device)[0] > _ROOM * size:
            encoder = encoder.to(device)
    with torch.no_grad():
        parts = [
            PeoplePipeline._get_qwen3_prompt_embeds(
                encoder, tokenizer, prompt=list(texts[start : start + _ENCODER_AT_ONCE])
            ).cpu()
            for start in range(0, len(texts), _ENCODER_AT_ONCE)
        ]
    del encoder
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return torch.cat(parts)
