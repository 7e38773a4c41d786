"""Arbitrary text in pictures."""

import functools

FONT = "DejaVu Sans"  # comes with matplotlib, hence the same everywhere
NAME_LENGTH = 39  # of a category


def shortened(name: str) -> str:
    """A long name without its middle: categories differ at both ends."""
    half = NAME_LENGTH // 2
    return name if len(name) <= NAME_LENGTH else f"{name[:half].rstrip()} … {name[-half:].lstrip()}"


def drawable(text: str) -> str:
    """The text with a box for each character that the font does not have."""
    return "".join(letter if ord(letter) in _letters() else "□" for letter in text)


@functools.cache
def _letters() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = (get_font(findfont(FontProperties(family=FONT, weight=w))) for w in ("normal", "bold"))
    return frozenset.intersection(*(frozenset(font.get_charmap()) for font in fonts))
