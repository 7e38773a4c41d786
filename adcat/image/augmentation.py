"""What training photos go through (thesis, section 4.3.2; TF-Slim's preprocessing of Inception).

A random crop, resized; a flip; a change of brightness and one of saturation, in this order.
"""

import math
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from adcat.data.images import Box, Images, open_image, resized
from adcat.learning.schedule import CROP_AREA

CROP_ASPECT = (0.75, 1.33)  # width / height
FLIP_PROBABILITY = 0.5
BRIGHTNESS = 0.13  # |δ| at most, of pixels in [0, 1]
SATURATION = (0.5, 1.5)  # factor; the thesis prints "offset", TensorFlow multiplies
CROP_ATTEMPTS = 100


def augmented_crop(
    path: Path | str, side: int, seed: tuple[int, ...], area: float = CROP_AREA
) -> Images:
    """Reads one random crop of a photo for training: [side, side, 3] in [-1, 1].

    Args:
      path: the photo.
      side: height and width of the result in pixels.
      seed: decides every random choice, so that an interrupted training goes on with the same
        crops; such as the run's seed, the epoch and the ad's row.
      area: share of the photo that the crop covers at least; with 1 it is the photo.
    """
    random = np.random.default_rng(seed)
    image = open_image(path, side)
    pixels = resized(image, side, random_crop(image.width, image.height, random, area))
    pixels = pixels.astype(np.float32) / np.float32(255)
    if random.random() < FLIP_PROBABILITY:
        pixels = pixels[:, ::-1]
    pixels = pixels + np.float32(random.uniform(-BRIGHTNESS, BRIGHTNESS))
    pixels = with_saturation(pixels, random.uniform(*SATURATION))
    return pixels.clip(0, 1) * 2 - 1


def random_crop(width: int, height: int, random: Generator, area: float = CROP_AREA) -> Box:
    """Draws a crop as TensorFlow's `sample_distorted_bounding_box` does.

    An aspect ratio, then a height among those that respect the area and fit into the photo, then
    the position. A photo too narrow for any such crop is taken whole.
    """
    for _ in range(CROP_ATTEMPTS):
        aspect = random.uniform(*CROP_ASPECT)
        low, high = (math.sqrt(share * width * height / aspect) for share in (area, 1))
        high = min(high, height, width / aspect)
        if low <= high:
            crop_height = random.uniform(low, high)
            crop_width = crop_height * aspect
            left = random.uniform(0, max(0, width - crop_width))
            top = random.uniform(0, max(0, height - crop_height))
            return left, top, min(width, left + crop_width), min(height, top + crop_height)
    return 0, 0, width, height


def with_saturation(pixels: Images, factor: float) -> NDArray[np.float32]:
    """Multiplies S in HSV and clips it at 1, with H and V kept: [height, width, 3].

    With V = max(rgb) and S = (V - min(rgb)) / V, scaling S by k moves every channel to
    V - k (V - rgb). Pixels darker than black are gray to HSV.
    """
    v = pixels.max(axis=-1, keepdims=True)
    spread = v - pixels.min(axis=-1, keepdims=True)
    most = np.divide(v.clip(0), spread, out=np.zeros_like(v), where=spread > 0)  # 1 / S
    return v - np.minimum(np.float32(factor), most) * (v - pixels)
