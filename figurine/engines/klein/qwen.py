"""The painter for quality: Qwen-Image-Edit-2509, many times slower than klein."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
)
from PIL import Image
from transformers import BatchFeature

from figurine import weights
from figurine.engines.klein import closeup, frame, prompts, references, resident
from figurine.engines.klein.painter import Commission, Step
from figurine.engines.klein.pipeline import between
from figurine.engines.workshop import Workshop
from figurine.errors import MissingModel
from figurine.types import Pixels

WEIGHTS: Final = "qwen-image-edit-2509"
STEPS: Final = 40
GUIDANCE: Final = 4.0
"""`true_cfg_scale`: each step is two of the transformer's."""
UNWANTED: Final = " "
"""The negative prompt, without which there is no guidance. Source of all three: the model card."""
_IMAGE: Final = "<|image_pad|>"


class QwenPainter:
    """One person after the other, whatever a pass has: diffusers 0.42.1 refuses two prompts in
    one call, the text encoder reads each prompt together with its own pictures, and at 20 billion
    parameters a single picture keeps a card busy, so that sharing a pass would win little.

    The pipeline shows every reference to its autoencoder at a megapixel and to its text encoder at
    384², whatever it is given. Levers are klein's: none is pulled here.
    """

    name = "qwen"
    wants_identity = False
    needs: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    def __init__(
        self,
        pipeline: QwenImageEditPlusPipeline,
        *,
        version: str,
        width_px: int = frame.FRAMES["square"][0],
        height_px: int = frame.FRAMES["square"][1],
        steps: int = STEPS,
    ) -> None:
        pipeline.set_progress_bar_config(disable=True)
        tell_images(pipeline.text_encoder)
        self._pipeline, self._steps = pipeline, steps
        self.version = version
        self.width_px, self.height_px = width_px, height_px

    @classmethod
    def load(cls, workshop: Workshop, *, width_px: int, height_px: int) -> QwenPainter:
        """Raises MissingModel."""
        folder = weights.folder(WEIGHTS, workshop)
        return cls.from_folder(folder, workshop, width_px=width_px, height_px=height_px)

    @classmethod
    def from_folder(
        cls, folder: Path, workshop: Workshop, *, width_px: int, height_px: int
    ) -> QwenPainter:
        """From a folder as diffusers keeps it; bf16 on a GPU, where it wants about 60 GB, float32
        on a CPU. Raises MissingModel."""
        device = resident.device(workshop)
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        try:
            pipeline = QwenImageEditPlusPipeline(**_components(folder, dtype)).to(device)
        except (OSError, ValueError) as error:
            raise MissingModel(
                f"{folder} is not whole: run manage.py weights fetch {WEIGHTS} ({error})"
            ) from error
        version = f"{WEIGHTS}@{resident.revision(folder)}"
        return cls(pipeline, version=version, width_px=width_px, height_px=height_px)

    def at(self, width_px: int, height_px: int) -> QwenPainter:
        """The same model for another frame."""
        return QwenPainter(
            self._pipeline,
            version=self.version,
            width_px=width_px,
            height_px=height_px,
            steps=self._steps,
        )

    def warm_up(self, batch: int) -> None:
        """Run one picture: a pass's are painted one by one, so it needs no more memory."""
        side = references.SELFIE_PX
        nobody = Commission(
            prompt="a figurine",
            pose=np.full((self.height_px, self.width_px, 3), 128, np.uint8),
            selfie=np.full((side, side, 3), 128, np.uint8),
            faces=((0, 0, self.width_px, self.height_px),),
            seed=0,
        )
        self.paint([nobody], step=lambda number, steps: None)

    def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
        if commissions[0].references == "inpaint":
            return self.refine(commissions, [each.pose for each in commissions], step=step)
        shown = [
            [references.composite(each.pose, each.selfie)]
            if each.references == "composite"
            else [each.pose, each.selfie]
            for each in commissions
        ]
        return self._edit(commissions, shown, step)

    def refine(
        self, commissions: Sequence[Commission], drafts: Sequence[Pixels], *, step: Step
    ) -> list[Pixels]:
        """Each draft's face painted again, out of a close-up, and put back with a soft edge.

        diffusers 0.42.1 has an inpainting pipeline for this model's elder only, which takes no
        second picture, so no selfie.
        """
        boxes = [closeup.around(each.faces, self.width_px, self.height_px) for each in commissions]
        near = [closeup.cut(draft, box) for draft, box in zip(drafts, boxes, strict=True)]
        shown = [[crop, each.selfie] for crop, each in zip(near, commissions, strict=True)]
        asked = [replace(each, prompt=prompts.close_up(len(each.faces))) for each in commissions]
        painted = self._edit(asked, shown, step)
        return [
            closeup.put_back(draft, face, box=box, faces=each.faces)
            for draft, face, box, each in zip(drafts, painted, boxes, commissions, strict=True)
        ]

    def _edit(
        self, commissions: Sequence[Commission], shown: Sequence[Sequence[Pixels]], step: Step
    ) -> list[Pixels]:
        """One (H, W, 3) a commission, each after its own pictures. `step` counts through all."""
        people, painted = len(commissions), []
        for number, (each, pictures) in enumerate(zip(commissions, shown, strict=True)):
            walked = number * self._steps
            step(walked, people * self._steps)
            image = self._pipeline(
                image=[Image.fromarray(picture) for picture in pictures],
                prompt=each.prompt,
                negative_prompt=UNWANTED,
                true_cfg_scale=GUIDANCE,
                width=self.width_px,
                height=self.height_px,
                num_inference_steps=self._steps,
                generator=torch.Generator("cpu").manual_seed(each.seed),
                callback_on_step_end=between(
                    step, number=walked, of=people * self._steps, ends=walked + self._steps
                ),
            ).images[0]
            painted.append(np.asarray(image, np.uint8))
        return painted


class Reader:
    """What `Qwen2VLProcessor` is for pictures: transformers 5 cannot make that one without
    torchvision, which only its videos need."""

    def __init__(self, tokenizer: Any, image_processor: Any) -> None:
        self.tokenizer, self.image_processor = tokenizer, image_processor

    def __call__(
        self, *, text: Sequence[str], images: Any, padding: bool, return_tensors: str
    ) -> Any:
        """Texts whose placeholders for pictures, in order, are as many as each picture's tokens.

        Source: transformers, models/qwen2_vl/processing_qwen2_vl.py.
        """
        seen = self.image_processor(images=images, return_tensors=return_tensors)
        sizes = seen["image_grid_thw"].prod(-1) // self.image_processor.merge_size**2
        told = []
        for one in text:
            first, *rest = one.split(_IMAGE)
            for size, part in zip(sizes.tolist(), rest, strict=True):
                first += _IMAGE * size + part
            told.append(first)
        words = self.tokenizer(told, padding=padding, return_tensors=return_tensors)
        return BatchFeature({**words, **seen})


def tell_images(encoder: Any) -> None:
    """Have the text encoder told which tokens are pictures'. transformers 5 wants to be, diffusers
    0.42.1 does not say, and then pictures' tokens would stand in a row like words instead of in
    rows and columns, as the model was trained. Once for an encoder.
    """
    if getattr(encoder, "tells_images", False):
        return
    token = encoder.config.image_token_id

    def told(module: Any, args: Any, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {"mm_token_type_ids": (given["input_ids"] == token).int(), **given}

    encoder.register_forward_pre_hook(told, with_kwargs=True)
    encoder.tells_images = True


def _components(folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """By hand: `from_pretrained` would make the processor that wants torchvision."""
    from transformers import (  # noqa: PLC0415 - only where the model is loaded
        Qwen2_5_VLForConditionalGeneration,
        Qwen2Tokenizer,
    )
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (  # noqa: PLC0415
        Qwen2VLImageProcessorPil,
    )

    here: dict[str, Any] = {"local_files_only": True}
    typed = here | {"dtype": dtype}
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler", **here),
        "vae": AutoencoderKLQwenImage.from_pretrained(folder / "vae", **typed).eval(),
        "text_encoder": Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder / "text_encoder", **typed
        ).eval(),
        "tokenizer": Qwen2Tokenizer.from_pretrained(folder / "tokenizer", **here),
        "processor": Reader(
            Qwen2Tokenizer.from_pretrained(folder / "processor", **here),
            Qwen2VLImageProcessorPil.from_pretrained(folder / "processor", **here),
        ),
        "transformer": QwenImageTransformer2DModel.from_pretrained(
            folder / "transformer", **typed
        ).eval(),
    }
