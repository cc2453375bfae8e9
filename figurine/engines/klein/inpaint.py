"""The face alone painted into a picture that is there already: a template, or a draft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import torch
from diffusers import Flux2KleinInpaintPipeline
from PIL import Image

from figurine.engines.klein.painter import Step
from figurine.engines.klein.pipeline import STEPS, PeoplePipeline, between
from figurine.types import Box, Pixels

PADDING_SHARE: Final = 0.6
"""Of the face's width: how much of head and shoulders the model sees around what it paints."""
FROM_NOISE: Final = 1.0
"""Strength for a template, whose sculpted face is to go."""
FROM_DRAFT: Final = 0.75
"""Strength for a draft, three steps of four: with fewer, a face that is not like enough stays."""
_FEATHER: Final = 0.06
"""Of the face's width: sigma of the mask's edge, where painted and shown are blended."""


def inpainting(people: PeoplePipeline) -> Flux2KleinInpaintPipeline:
    """diffusers' inpainting on the same components: no weight is in memory twice."""
    pipeline = Flux2KleinInpaintPipeline(
        **people.components, is_distilled=people.config.is_distilled
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def paint_faces(
    pipeline: Flux2KleinInpaintPipeline,
    pictures: Sequence[Pixels],
    *,
    faces: Sequence[Sequence[Box]],
    selfies: Sequence[Pixels],
    prompt_embeds: torch.Tensor,
    seeds: Sequence[int],
    strength: float,
    step: Step,
    steps: int = STEPS,
) -> list[Pixels]:
    """Each (H, W, 3) with what is inside its faces' ellipses painted after its own selfie.

    One person after the other: diffusers 0.42.1 takes `padding_mask_crop` with a single picture
    only, since each crop would have a place of its own. The crop is painted as large as the
    picture, so a face gets all of the model's resolution. `step` counts through all of them.
    """
    walked = 0
    each = max(1, int(min(steps * strength, steps)))  # as the pipeline's get_timesteps has it
    painted = []
    for number, picture in enumerate(pictures):
        own = faces[number]
        step(walked, each * len(pictures))
        image = pipeline(
            image=Image.fromarray(picture),
            mask_image=Image.fromarray(mask(own, picture.shape[1], picture.shape[0])),
            image_reference=Image.fromarray(selfies[number]),
            padding_mask_crop=max(1, round(PADDING_SHARE * around(own)[2])),
            prompt_embeds=prompt_embeds[number : number + 1],
            generator=torch.Generator("cpu").manual_seed(seeds[number]),
            strength=strength,
            num_inference_steps=steps,
            guidance_scale=1.0,
            callback_on_step_end=between(
                step, number=walked, of=each * len(pictures), ends=walked + each
            ),
        ).images[0]
        walked += each
        painted.append(np.asarray(image, np.uint8))
    return painted


def mask(faces: Sequence[Box], width: int, height: int) -> Pixels:
    """(H, W) uint8: 255 in each face's ellipse, with a soft edge inside its box."""
    drawn = np.zeros((height, width), np.uint8)
    for x, y, wide, high in faces:
        sigma = max(0.5, _FEATHER * wide)
        inside = np.zeros_like(drawn)
        centre = (x + wide / 2, y + high / 2)
        axes = (max(wide - 4 * sigma, 2.0), max(high - 4 * sigma, 2.0))
        cv2.ellipse(inside, (centre, axes, 0.0), 255, -1)
        here = np.s_[y : y + high, x : x + wide]
        soft = cv2.GaussianBlur(inside, (0, 0), sigma)[here]
        drawn[here] = np.maximum(drawn[here], soft)
    return drawn


def around(faces: Sequence[Box]) -> Box:
    """The box around all of them."""
    left, top = min(x for x, *_ in faces), min(y for _, y, *_ in faces)
    right = max(x + wide for x, _, wide, _ in faces)
    bottom = max(y + high for _, y, _, high in faces)
    return left, top, right - left, bottom - top
