"""The painter that many crews own already: SDXL, with the face by IP-Adapter FaceID.

FaceID and the recogniser that it was trained with are not for commercial use: production refuses
them unless the crew has named the licences it bought.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLInpaintPipeline
from PIL import Image

from figurine import weights
from figurine.engines.klein import closeup, frame, inpaint, resident
from figurine.engines.klein.painter import Commission, Step
from figurine.engines.klein.pipeline import between
from figurine.engines.workshop import Workshop
from figurine.errors import MissingModel
from figurine.likeness import SIZE
from figurine.types import Pixels

WEIGHTS: Final = "sdxl-faceid"
BASE: Final = "sdxl-base"
FILE: Final = "ip-adapter-faceid_sdxl.bin"
STEPS: Final = 30
GUIDANCE: Final = 7.5
"""Source of both: FaceID's model card."""
UNWANTED: Final = "lowres, worst quality, low quality, blurry"
"""The card's negative prompt, without "monochrome" (marble is) and without anatomy (toys have
none)."""
STRENGTH: Final = 0.6
"""Of what is painted over the render: pose and framing stay, surfaces and face do not."""
WINDOWS: Final = 3
"""Of 75 tokens each, which CLIP reads one by one; the longest prompt of the library has about 170
tokens. Always as many, so that nobody's picture depends on others' prompts; what is beyond them
is not read."""
_LORA: Final = (("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("out", "to_out.0"))

State = Mapping[str, Mapping[str, torch.Tensor]]
"""FaceID's weights: "image_proj", and "ip_adapter" with its LoRA."""


class _Apart:
    """Each person of a pass has an identity of their own; diffusers would give everyone all."""

    def prepare_ip_adapter_image_embeds(
        self, image: Any, embeds: list[torch.Tensor], device: torch.device, *_: Any
    ) -> list[torch.Tensor]:
        """embeds: (2B, 1, 512), nobody's before everyone's, as guidance wants them."""
        return [each.to(device) for each in embeds]


class RepaintPipeline(_Apart, StableDiffusionXLImg2ImgPipeline):  # type: ignore[misc]
    """Paints over a picture."""


class FacePipeline(_Apart, StableDiffusionXLInpaintPipeline):  # type: ignore[misc]
    """Paints within a mask."""


class SdxlPainter:
    """Several people a pass. Levers are klein's: none is pulled here."""

    name = "sdxl"
    wants_identity = True
    needs: ClassVar[tuple[str, ...]] = (WEIGHTS, BASE)

    def __init__(
        self,
        pipeline: RepaintPipeline,
        *,
        version: str,
        width_px: int = frame.FRAMES["square"][0],
        height_px: int = frame.FRAMES["square"][1],
        steps: int = STEPS,
    ) -> None:
        """pipeline: with FaceID laid upon it (`lay`)."""
        self._pipeline, self._steps = pipeline, steps
        # The same components: no weight is in memory twice.
        self._inpainting = FacePipeline(**pipeline.components, add_watermarker=False)
        for each in (pipeline, self._inpainting):
            each.set_progress_bar_config(disable=True)
        pipeline.vae.enable_slicing()  # it decodes in float32: a whole pass at once is much
        self.version = version
        self.width_px, self.height_px = width_px, height_px

    @classmethod
    def load(cls, workshop: Workshop, *, width_px: int, height_px: int) -> SdxlPainter:
        """Raises MissingModel, LicenceMissing."""
        faceid = weights.folder(WEIGHTS, workshop)
        base = weights.folder(BASE, workshop)
        return cls.from_folders(base, faceid, workshop, width_px=width_px, height_px=height_px)

    @classmethod
    def from_folders(
        cls, base: Path, faceid: Path, workshop: Workshop, *, width_px: int, height_px: int
    ) -> SdxlPainter:
        """base: SDXL as diffusers keeps it, of which the fp16 files are read; float16 on a GPU,
        float32 on a CPU. faceid: with FaceID's file. Raises MissingModel."""
        device = resident.device(workshop)
        dtype = torch.float16 if device.type == "cuda" else torch.float32
        try:
            pipeline = RepaintPipeline.from_pretrained(
                base, variant="fp16", dtype=dtype, add_watermarker=False, local_files_only=True
            )
        except (OSError, ValueError) as error:
            raise MissingModel(
                f"{base} is not whole: run manage.py weights fetch {BASE} ({error})"
            ) from error
        lay(read(faceid / FILE), pipeline)
        return cls(
            pipeline.to(device),
            version=f"{WEIGHTS}@{resident.revision(base, faceid)}",
            width_px=width_px,
            height_px=height_px,
        )

    def at(self, width_px: int, height_px: int) -> SdxlPainter:
        """The same model for another frame."""
        return SdxlPainter(
            self._pipeline,
            version=self.version,
            width_px=width_px,
            height_px=height_px,
            steps=self._steps,
        )

    def warm_up(self, batch: int) -> None:
        grey = np.full((self.height_px, self.width_px, 3), 128, np.uint8)
        nobody = Commission(
            prompt="a figurine",
            pose=grey,
            selfie=grey,  # not looked at: the identity is
            faces=((0, 0, self.width_px, self.height_px),),
            seed=0,
            identity=np.full(SIZE, SIZE**-0.5, np.float32),
        )
        self.paint([nobody] * batch, step=lambda number, steps: None)

    def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
        """The kit's render painted over. "composite" is as "two": no selfie is shown, only its
        identity. Raises ValueError for a commission without one."""
        poses = [each.pose for each in commissions]
        if commissions[0].references == "inpaint":
            return self._paint_faces(commissions, poses, inpaint.FROM_NOISE, step)
        painted: list[Pixels] = self._run(
            self._pipeline, commissions, STRENGTH, step, image=_images(poses)
        )
        return painted

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
        """Each face painted out of a close-up, everyone's in one pass: they are cut out here, since
        diffusers 0.42.1 crops a single picture only."""
        faces = [each.faces for each in commissions]
        boxes = [closeup.around(own, self.width_px, self.height_px) for own in faces]
        masks = [inpaint.mask(own, self.width_px, self.height_px) for own in faces]
        painted: list[Pixels] = self._run(
            self._inpainting,
            commissions,
            strength,
            step,
            image=_images([closeup.cut(*pair) for pair in zip(pictures, boxes, strict=True)]),
            mask_image=_images([closeup.cut(*pair) for pair in zip(masks, boxes, strict=True)]),
            width=self.width_px,
            height=self.height_px,
        )
        return [
            closeup.put_back(picture, near, box=box, faces=own)
            for picture, near, box, own in zip(pictures, painted, boxes, faces, strict=True)
        ]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _run(
        self,
        pipeline: Any,
        commissions: Sequence[Commission],
        strength: float,
        step: Step,
        **shown: Any,
    ) -> list[Pixels]:
        """One pass, (H, W, 3) each."""
        steps = max(1, int(self._steps * strength))  # as the pipelines' get_timesteps has it
        step(0, steps)
        words, pooled = self._words([each.prompt for each in commissions] + [UNWANTED])
        people = len(commissions)
        images = pipeline(
            prompt_embeds=words[:-1],
            pooled_prompt_embeds=pooled[:-1],
            negative_prompt_embeds=words[-1:].expand(people, -1, -1),
            negative_pooled_prompt_embeds=pooled[-1:].expand(people, -1),
            ip_adapter_image_embeds=[self._identities(commissions)],
            strength=strength,
            num_inference_steps=self._steps,
            guidance_scale=GUIDANCE,
            generator=[torch.Generator("cpu").manual_seed(each.seed) for each in commissions],
            callback_on_step_end=between(step, number=0, of=steps, ends=steps),
            **shown,
        ).images
        return [np.asarray(image, np.uint8) for image in images]

    def _identities(self, commissions: Sequence[Commission]) -> torch.Tensor:
        """(2B, 1, 512): nobody's for guidance, then everyone's. Raises ValueError."""
        known = [each.identity for each in commissions if each.identity is not None]
        if len(known) < len(commissions):
            raise ValueError("a commission for sdxl has no identity")
        own = torch.from_numpy(np.stack(known))[:, None]
        both = torch.cat([torch.zeros_like(own), own])
        return both.to(self._pipeline.device, self._pipeline.unet.dtype)

    def _words(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Texts as both of SDXL's encoders have them: (N, WINDOWS * 77, D), and (N, P) of the first
        window. diffusers itself reads one window and drops the rest: the finish, among others.
        """
        pipeline, hidden = self._pipeline, []
        for tokenizer, encoder in (
            (pipeline.tokenizer, pipeline.text_encoder),
            (pipeline.tokenizer_2, pipeline.text_encoder_2),
        ):
            windows = _windows(tokenizer, texts).to(pipeline.device)
            read = encoder(windows.flatten(0, 1), output_hidden_states=True)
            # The last layer but one, as diffusers' encode_prompt takes it.
            hidden.append(read.hidden_states[-2].unflatten(0, windows.shape[:2]).flatten(1, 2))
        pooled: torch.Tensor = read.text_embeds.unflatten(0, windows.shape[:2])[:, 0]
        return torch.cat(hidden, dim=-1), pooled


def read(path: Path) -> State:
    """FaceID's file; no code in it is run. Raises MissingModel."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: dict(state[name]) for name in ("image_proj", "ip_adapter")}
    except (OSError, EOFError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise MissingModel(
            f"{path} cannot be read: run manage.py weights fetch {WEIGHTS} ({error})"
        ) from error


def lay(state: State, pipeline: RepaintPipeline) -> None:
    """Lay FaceID upon an SDXL pipeline, in place. Raises MissingModel for another adapter's.

    Its LoRA is added to the weights, W + up · down: without peft diffusers would leave it out with
    a mere warning, and fused it costs nothing at each step. Source: IP-Adapter's LoRAAttnProcessor,
    whose scale is 1 and whose numbers are places in `unet.attn_processors`.
    """
    adapter = dict(state["ip_adapter"])
    try:
        for number, name in enumerate(pipeline.unet.attn_processors):
            attention = pipeline.unet.get_submodule(name.removesuffix(".processor"))
            for short, full in _LORA:
                down = adapter.pop(f"{number}.to_{short}_lora.down.weight")
                up = adapter.pop(f"{number}.to_{short}_lora.up.weight")
                weight = attention.get_submodule(full).weight.data
                weight += (up.float() @ down.float()).to(weight)
        pipeline.load_ip_adapter(
            {"image_proj": dict(state["image_proj"]), "ip_adapter": adapter},
            subfolder="",
            weight_name="",
            image_encoder_folder=None,  # identities come from a recogniser
        )
    except (KeyError, RuntimeError, ValueError) as error:
        raise MissingModel(f"these are not FaceID's weights for this model: {error}") from error


def _windows(tokenizer: Any, texts: Sequence[str]) -> torch.Tensor:
    """(N, WINDOWS, 77) tokens, each window with a beginning, an end and padding of its own."""
    size, whole = tokenizer.model_max_length, []
    for text in texts:
        told = tokenizer(text, add_special_tokens=False).input_ids
        for start in range(0, WINDOWS * (size - 2), size - 2):
            window = [tokenizer.bos_token_id, *told[start : start + size - 2]]
            window += [tokenizer.eos_token_id]
            whole.append(window + [tokenizer.pad_token_id] * (size - len(window)))
    return torch.tensor(whole).reshape(len(texts), WINDOWS, size)


def _images(pictures: Sequence[Pixels]) -> list[Image.Image]:
    return [Image.fromarray(picture) for picture in pictures]
