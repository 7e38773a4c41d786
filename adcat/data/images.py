"""Photos as arrays: one way of decoding for the check in `split`, for training and for prediction.

An array of photos is float32 [n, height, width, 3] in [-1, 1], as Inception v3 expects it.
"""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError

if TYPE_CHECKING:
    from PIL.Image import Image

Images: TypeAlias = NDArray[np.float32]  # [n, height, width, 3] or one of them, in [-1, 1]
ImageFile: TypeAlias = Path | str | IO[bytes]
Box: TypeAlias = tuple[float, float, float, float]  # left, top, right, bottom in pixels
# What cameras and sites write. Pillow would try far more: an EPS, whatever its name, starts
# Ghostscript, a WMF reads the system's fonts.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF", "JPEG2000", "PPM")
HALVED = ("JPEG", "MPO")  # that can be decoded at half their size: as many as 4 times the pixels
MOST_PIXELS = 89_478_485  # a quarter of a gigabyte
MOST_TEXT = 1 << 26  # bytes of a PNG's comments
UPRIGHT = {  # value of EXIF's orientation -> what puts the image upright
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


class UnreadableImageError(BadInputError):
    """A file is not a photo, or is damaged."""

    def __init__(self, path: ImageFile, problem: str) -> None:
        """Keeps what is wrong with the file, without its name."""
        super().__init__(f"{path} is not a readable photo: {problem}")
        self.problem = problem


@contextlib.contextmanager
def opened(path: ImageFile) -> "Iterator[Image]":
    """Opens an image file of which only the first bytes are read yet.

    Raises:
      OSError: it is missing, in no known format, or so large that it is meant to fill the memory.
    """
    from PIL import Image, PngImagePlugin

    # Pillow's own limits ignore the format.
    Image.MAX_IMAGE_PIXELS = None
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MOST_TEXT
    with Image.open(path, formats=FORMATS) as image:
        _check_pixels(image, MOST_PIXELS * (4 if image.format in HALVED else 1))
        yield image


def _check_pixels(image: "Image", most: int) -> None:
    if image.width * image.height > most:
        raise OSError(f"{image.width} x {image.height} pixels are too many")


def open_image(path: ImageFile, side: int = 0) -> "Image":
    """Decodes a photo as people see it: RGB, upright, its first frame, on white if transparent.

    Args:
      path: a file in one of `FORMATS`.
      side: the side in pixels that the photo will be resized to, if known: a far larger JPEG is
        then decoded at 1/2, 1/4 or 1/8 of its size, never below twice the side.

    Raises:
      BadInputError: the file is missing or cannot be decoded.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")  # damaged metadata, sound pixels
    try:
        with opened(path) as image:
            if side:
                image.draft(None, (2 * side, 2 * side))
            elif image.width * image.height > MOST_PIXELS:
                image.draft(None, (image.width // 2, image.height // 2))
            _check_pixels(image, MOST_PIXELS)
            image.load()  # the metadata of some formats comes last
            return _upright(_on_white(image), image)
    except FileNotFoundError:
        raise BadInputError(f"{path} is missing; expected a photo") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise nearly anything on a damaged file
        raise UnreadableImageError(path, problem_in(error)) from None


def problem_in(error: Exception) -> str:
    """What a decoder met, in words that hold wherever the file lies."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not in a known format"
    found = getattr(error, "problem", None) or getattr(error, "strerror", None) or str(error)
    return (found or type(error).__name__).splitlines()[0]


def _upright(image: "Image", file: "Image") -> "Image":
    """The image as the orientation in its file's EXIF says, of which nothing else is read."""
    from PIL.Image import Transpose

    try:
        orientation = file.getexif().get(0x0112, 1)
    except Exception:  # damaged metadata, sound pixels
        return image
    return image.transpose(Transpose[UPRIGHT[orientation]]) if orientation in UPRIGHT else image


def _on_white(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I"):  # gray with 16 bit
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def central_crop(path: ImageFile, side: int, fraction: float) -> Images:
    """Reads a photo as it is predicted from: its central part, resized: [side, side, 3].

    TF-Slim's preprocessing at test time; the thesis does not state its own.

    Args:
      path: the photo.
      side: height and width of the result in pixels.
      fraction: the share of the photo's height and width that is kept.
    """
    image = open_image(path, side)
    pixels = resized(image, side, central_box(image, fraction))
    return pixels.astype(np.float32) / np.float32(127.5) - 1


def central_box(image: "Image", fraction: float) -> Box:
    """The central part of an image, `fraction` of its height and width."""
    left, top = image.width * (1 - fraction) / 2, image.height * (1 - fraction) / 2
    return left, top, image.width - left, image.height - top


def resized(image: "Image", side: int, box: Box) -> NDArray[np.uint8]:
    """Cuts the box out and resizes it, bilinear: [side, side, 3] in 0 .. 255."""
    from PIL.Image import Resampling

    return np.asarray(image.resize((side, side), Resampling.BILINEAR, box))
