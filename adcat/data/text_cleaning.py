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
    try:  # most western texts are Latin-1, for which Python has a far faster way
        text = text.encode("latin-1").translate(*_latin_1_table()).decode("latin-1")
    except UnicodeEncodeError:
        text = text.translate(_table())
    return " ".join(text.split())


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


@functools.cache
def _latin_1_table() -> tuple[bytes, bytes]:
    """The same for `bytes.translate`: what every byte becomes, and which go."""
    table = _table()
    kept = bytes(ord(table.get(code) or chr(code)) for code in range(256))
    return kept, bytes(code for code in range(256) if table.get(code, "") is None)
