"""The text that every text model reads (thesis, section 4.3.1).

Title and description appended, lower-cased, without punctuation, on one line. Works for any
script: what is removed is punctuation, not what is foreign.
"""

import functools
import string
import sys
import unicodedata

PREPROCESSING = "title and description, NFC, lower case, no punctuation"  # part of a saved model


def clean(title: str, description: str) -> str:
    """The cleaned text of an ad; empty where nothing is left."""
    text = unicodedata.normalize("NFC", f"{title} {description}").lower()
    return " ".join(text.translate(_table()).split())


@functools.cache
def _table() -> dict[int, str | None]:
    """Punctuation goes; control characters and every kind of blank become a space.

    fastText splits on ASCII blanks only, so a no-break space would glue two words together. The
    underscore is punctuation, hence no text can hold fastText's `__label__`.
    """
    table: dict[int, str | None] = dict.fromkeys(map(ord, string.punctuation))
    for code in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code))
        if category[0] == "P":
            table[code] = None
        elif category[0] == "Z" or category in ("Cc", "Cs"):
            table[code] = " "
    return table
