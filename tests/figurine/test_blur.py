"""blur.py: wide blurs on small copies are what they would be at full size, nearly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from figurine.engines.sculpt.blur import blurred, within


@pytest.mark.parametrize("sigma_px", [1.5, 5.0, 8.8, 14.0, 48.0])
@pytest.mark.parametrize("shape", [(281, 424), (457, 641, 3)])
def test_blur_of_any_width_is_gaussian(sigma_px: float, shape: tuple[int, ...]) -> None:
    image = cv2.GaussianBlur(np.random.default_rng(1).random(shape, np.float32), (0, 0), 2)
    image = (image - image.min()) / (image.max() - image.min())
    exact = cv2.GaussianBlur(image, (0, 0), sigma_px)
    assert np.abs(blurred(image, sigma_px) - exact).max() < 0.03


def test_blur_within_a_mask_sees_nothing_beyond_it() -> None:
    image, mask = np.full((200, 200), 0.5, np.float32), np.zeros((200, 200), np.float32)
    mask[60:140, 60:140] = 1
    image[mask == 0] = 9
    inside = within(image, mask, 12.0)[62:138, 62:138]
    assert inside == pytest.approx(0.5, abs=0.01)
