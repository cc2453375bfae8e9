"""diffusers' klein pipeline for several people at once: each has references of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from diffusers import Flux2KleinPipeline
from diffusers.utils.torch_utils import get_module_execution_device
from PIL import Image

from figurine.engines.klein.painter import Step
from figurine.types import Pixels

STEPS: Final = 4
"""What FLUX.2-klein-4B is distilled to. Source: its model card."""
DECODED_AT_ONCE: Final = 4
"""At 1024² the decoder's widest layer has 256 channels: of eight pictures it would have 2^31
numbers, one more than 32 bits count."""
MOST_REFERENCE_PX: Final = 1024 * 1024
"""diffusers 0.42.1 shrinks any larger reference, so sizes would no longer be ours."""


class PeoplePipeline(Flux2KleinPipeline):  # type: ignore[misc]  # its types are not read
    """`Flux2KleinPipeline` shows every reference to every prompt of a batch; here a batch is
    people, and nobody's face reaches another's picture. Components, loading, saving are its own.
    """

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def serve(
        self,
        people: Sequence[Sequence[Pixels]],
        *,
        prompt_embeds: torch.Tensor,
        seeds: Sequence[int],
        width_px: int,
        height_px: int,
        step: Step,
        steps: int = STEPS,
    ) -> torch.Tensor:
        """One pass: latents (B, C, h, w), which `pictures` makes pictures of.

        people: of each the references, (H, W, 3) uint8 sRGB, as many and as large as everyone's.
        prompt_embeds: (B, L, D). Noise is drawn on the CPU, a generator a person, so that a figure
        depends neither on the device nor on whoever shares its pass. Raises ValueError, and
        whatever `step` raises.
        """
        shapes = {tuple(reference.shape for reference in references) for references in people}
        if len(shapes) != 1 or not next(iter(shapes)):
            raise ValueError(f"people of one pass need references of the same sizes, not {shapes}")
        if any(high * wide > MOST_REFERENCE_PX for high, wide, _ in next(iter(shapes))):
            raise ValueError("a reference of more than a megapixel would be shrunk")
        if not len(people) == len(seeds) == len(prompt_embeds):
            raise ValueError("as many people as seeds and prompts")
        step(0, steps)
        return self(
            # Person by person; `prepare_image_latents` parts them again.
            image=[Image.fromarray(reference) for references in people for reference in references],
            prompt_embeds=prompt_embeds,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            width=width_px,
            height=height_px,
            num_inference_steps=steps,
            guidance_scale=1.0,  # the distilled model takes none
            output_type="latent",
            callback_on_step_end=between(step, number=0, of=steps, ends=steps),
        ).images

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def pictures(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents as pictures, (B, H, W, 3) uint8 sRGB on the autoencoder's device."""
        latents = latents.to(get_module_execution_device(self.vae), self.vae.dtype)
        parts = [self._picture(few) for few in latents.split(DECODED_AT_ONCE)]
        return torch.cat(parts)

    def _picture(self, latents: torch.Tensor) -> torch.Tensor:
        decoded = self.vae.decode(latents, return_dict=False)[0]
        shown = (decoded.float() / 2 + 0.5).clamp(0, 1) * 255
        return shown.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def prepare_image_latents(
        self,
        images: list[torch.Tensor],
        batch_size: int,
        generator: Any,
        device: torch.device,
        dtype: torch.dtype,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Each person's references as tokens (B, N, C), and their places (B, N, 4).

        images: (1, 3, H, W) each, person by person. A person's are told apart by their place in
        time, as in `Flux2KleinPipeline`; the n-th of everyone are encoded together.
        """
        each, left_over = divmod(len(images), batch_size)
        if left_over or not each:
            raise ValueError(f"{len(images)} references do not go round {batch_size} people")
        encoded = []
        for number in range(each):
            of_all = torch.cat(images[number::each])
            of_all = of_all.to(device=get_module_execution_device(self.vae), dtype=dtype)
            encoded.append(self._encode_vae_image(image=of_all, generator=generator))
        tokens = torch.cat([self._pack_latents(latents) for latents in encoded], dim=1)
        places = self._prepare_image_ids([latents[:1] for latents in encoded])
        return tokens.to(device), places.repeat(batch_size, 1, 1).to(device)


def between(step: Step, *, number: int, of: int, ends: int) -> Any:
    """diffusers' callback: it calls at the end of a step, ours is called before the next.

    number: of the pass's first step; of: how many there are in all; ends: before which of them
    nobody is called any more. On a GPU, steps are queued far ahead of where it is: here at most
    one, so that what is told is true and whoever leaves is heard.
    """
    queued: list[torch.cuda.Event] = []

    def call(pipeline: Any, at: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        device = torch.device(pipeline.device)
        if device.type == "cuda":
            queued.append(torch.cuda.Event())
            # Of this card: by itself it is the thread's, which is the first one for everybody.
            queued[-1].record(torch.cuda.current_stream(device))
            if len(queued) > 1:
                queued[-2].synchronize()
        if number + at + 1 < ends:
            step(number + at + 1, of)
        return {}

    return call
