"""The formats that a table of ads may have, by the ending of its name."""

from pathlib import Path

from adcat.errors import BadInputError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
FORMATS = (*DELIMITERS, *JSON_LINES, ".parquet")
CONVERSIONS = {
    ".xlsx": "is a spreadsheet; save it as CSV in UTF-8 and give that file",
    ".json": "is JSON; expected one object on a line, as of: jq -c '.[]' ads.json > ads.jsonl",
}
FOREIGN = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "a zip archive", b"PAR1": "Parquet"}


def check_file(path: Path) -> None:
    """Refuses a file that is not a table as its name says.

    Raises:
      BadInputError: it is missing, empty, or of another format.
    """
    if path.suffix.lower() in CONVERSIONS:
        raise BadInputError(f"{path} {CONVERSIONS[path.suffix.lower()]}")
    if path.suffix.lower() not in FORMATS:
        raise BadInputError(f"{path}: expected a table in one of {', '.join(FORMATS)}")
    if not path.is_file():
        found = "is not a file" if path.exists() else "does not exist"
        raise BadInputError(f"{path} {found}; expected a table of ads")
    if path.stat().st_size == 0:
        raise BadInputError(f"{path} is empty; expected a table of ads")
    with path.open("rb") as file:
        start = file.read(4)
    for magic, name in FOREIGN.items():
        if start.startswith(magic) and (name, path.suffix.lower()) != ("Parquet", ".parquet"):
            raise BadInputError(f"{path} is {name}, not {path.suffix[1:]}; convert or rename it")
