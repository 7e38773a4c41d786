"""Photos with the attention that they got drawn over them (thesis, section 5.3.1 and A.4).

A map lies over the part of the photo that the network saw, its positions on a regular grid.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from adcat.probabilities import highest

if TYPE_CHECKING:
    from PIL.Image import Image

Map = NDArray[np.floating]  # α of the positions of a photo: [height, width]

TOP_POSITIONS = 10
DARKEST = 0.15  # what is left of the light where attention is lowest
FAINTEST, STRONGEST = 0.3, 0.95  # opacity of the squares


def scaled(weights: Map) -> Map:
    """A map from 0, its lowest value, to 1, its highest: [height, width]; flat attention is 1."""
    low, high = weights.min(), weights.max()
    return (weights - low) / (high - low) if high > low else np.ones_like(weights)


def overlay(image: "Image", weights: Map, blur: float) -> "Image":
    """The photo under its attention as a transparent filter: the darker, the less of it.

    Args:
      image: what the network saw.
      weights: the map.
      blur: standard deviation of the Gaussian filter, in positions of the map.
    """
    from PIL import Image, ImageFilter

    height, width = weights.shape
    light = Image.fromarray((255 * scaled(weights)).round().astype(np.uint8))
    light = light.resize(image.size, Image.Resampling.NEAREST)
    radii = blur * image.width / width, blur * image.height / height
    light = light.filter(ImageFilter.GaussianBlur(radii))
    light = light.point([round(255 * DARKEST + (1 - DARKEST) * value) for value in range(256)])
    return Image.composite(image, Image.new("RGB", image.size), light)


def squares(image: "Image", weights: Map) -> "Image":
    """The photo, darkened, with the positions of highest attention as white squares.

    A brighter square is a position of higher attention.

    Args:
      image: what the network saw.
      weights: the map.
    """
    from PIL import Image, ImageDraw

    height, width = weights.shape
    shown = Image.blend(image, Image.new("RGB", image.size), 0.4)
    drawing = ImageDraw.Draw(shown, "RGBA")
    positions = highest(weights.ravel(), TOP_POSITIONS)
    strength = scaled(weights.ravel()[positions])
    for position, value in zip(positions, strength, strict=True):
        y, x = divmod(int(position), width)
        left, right = x * image.width / width, (x + 1) * image.width / width
        top, bottom = y * image.height / height, (y + 1) * image.height / height
        opacity = round(255 * (FAINTEST + (STRONGEST - FAINTEST) * value))
        drawing.rectangle((left + 1, top + 1, right - 1, bottom - 1), fill=(255, 255, 255, opacity))
    return shown
