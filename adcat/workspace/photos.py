"""The photos of a split, which lie outside the workspace: are they still what `split` found?

A photo is read again only where its size and modification time are not those of the last look,
which `.cache/` keeps; they may be lost at any time.
"""

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.errors import StaleArtifactError, expecting
from adcat.files import file_stamp, image_digest, write_cache
from adcat.types import availabilities_with
from adcat.workspace import command_lines
from adcat.workspace.ads_table import ADS, AVAILABILITY, DIGEST, stream_ads
from adcat.workspace.artifact import Artifact
from adcat.workspace.digests import USUAL, Look, digest_of
from adcat.workspace.manifest import MANIFEST
from adcat.workspace.staging import Staging

VECTORS = Path(".cache/vectors")
FETCHED = Path(".cache/fetched")
NAME = 16  # characters of a digest that name a folder
PHOTOS = ".photos"  # of a table or a store; hidden, since `ads.parquet` has their digests

Change: TypeAlias = Literal["changed", "gone"]
Among: TypeAlias = NDArray[np.bool_] | None
Changes: TypeAlias = Mapping[str, Change]  # by the images' names in the table


def images_folder(split: Artifact) -> Path:
    """The folder that the images' names are relative to.

    Raises:
      BadInputError: the manifest does not say.
    """
    with expecting(split / MANIFEST, "manifest that names the images' folder"):
        folder = Path(split.manifest().record["images"])
    return split / PHOTOS if (split / PHOTOS).is_dir() else folder


def vectors_folder(split: Artifact, network: str) -> Path:
    """Where a network's vectors of the photos are kept, so that no command makes them again.

    They may be lost at any time; those of another split are dropped.

    Args:
      split: the ads.
      network: names the network with its weights.
    """
    folder = split.root / VECTORS / split.check().digest[:NAME]
    for other in set(folder.parent.glob("*")) - {folder}:
        shutil.rmtree(other, ignore_errors=True)  # another process may drop it as well
    (folder / network).mkdir(parents=True, exist_ok=True)
    return folder / network


def fetched_folder(split: Artifact, address: str) -> Path:
    """Where photos of a store wait until all are there: an interrupted `split` goes on from these.

    They may be lost at any time; those of another store, and halves of files, are dropped.
    """
    folder = split.root / FETCHED / digest_of(address)[:NAME]
    for other in set(folder.parent.glob("*")) - {folder}:
        shutil.rmtree(other, ignore_errors=True)
    for begun in folder.glob(".*"):
        begun.unlink()
    return folder


def check_photos(split: Artifact, among: Among = None) -> None:
    """Checks that photos are still what `split` found.

    Raises:
      StaleArtifactError: some changed or are gone.
    """
    if found := photo_changes(split, among=among):
        raise StaleArtifactError(in_words(split, found))


@contextlib.contextmanager
def reading_photos(split: Artifact, staging: Staging, among: Among = None) -> Iterator[None]:
    """Looks after the block whether the photos that it read are still what `split` found.

    Raises:
      StaleArtifactError: some changed, so that what was made of them is dropped, or are gone.
    """
    try:
        yield
    finally:
        if found := photo_changes(split, among=among):
            if "changed" in found.values():
                shutil.rmtree(staging.folder)
                shutil.rmtree(split.root / VECTORS, ignore_errors=True)
            raise StaleArtifactError(in_words(split, found))


def photo_changes(split: Artifact, look: Look = USUAL, among: Among = None) -> Changes:
    """Looks at photos.

    Args:
      split: whose.
      look: how closely.
      among: which of those of the table, in its order; by default all: [photos].
    """
    import pyarrow.compute as pc

    folder, known = images_folder(split), _known_stamps(split)
    has_image = pc.field(AVAILABILITY).isin(availabilities_with(["image"]))
    last = iter([] if look.every_byte else known)
    stamps: list[str] = []
    found: dict[str, Change] = {}
    for chunk in stream_ads(split / ADS, ["image", DIGEST, AVAILABILITY], 8192):
        ads = chunk.filter(has_image)
        for image, digest in zip(ads["image"].to_pylist(), ads[DIGEST].to_pylist(), strict=True):
            stamp, change = next(last, ""), None
            if among is None or among[len(stamps)]:
                change, stamp = photo_change(folder / image, digest, stamp)
            stamps.append("" if change else stamp)
            if change:
                found[image] = change
    if look.is_remembered and stamps != known:
        remember(split, stamps)
    return found


def photo_change(path: Path, digest: str | None, known: str = "") -> tuple[Change | None, str]:
    """What became of a photo, if anything, and its size and time.

    Args:
      path: the photo.
      digest: what the split has of it; nothing is known of it where that is empty.
      known: the size and time that it had when it last had this digest.
    """
    try:
        stamp = file_stamp(path)
        same = not digest or stamp in (digest, known) or image_digest(path) == digest
    except OSError:
        return "gone", ""
    return None if same else "changed", stamp


def in_words(split: Artifact, changes: Changes) -> str:
    """How many photos changed or are gone, and what to type."""
    folder, counts = images_folder(split), Counter(changes.values())
    verbs = {"changed": "changed", "gone": "is gone" if counts["gone"] == 1 else "are gone"}
    found = " and ".join(f"{n:,} {verbs[change]}" for change, n in counts.items())
    command = command_lines.like(split.manifest().record, split.root, split.name)
    command += "" if folder.is_dir() else " --images DIR"
    example = next(iter(changes))
    return f"photos in {folder}: {found} since the split, such as {example}; type: {command}"


def remember(split: Artifact, stamps: Sequence[str]) -> None:
    """Keeps the photos' sizes and times, in the order of the ads that have one; for speed only."""
    write_cache(_cache(split), {"ads": split.manifest().files.get(ADS), "stamps": stamps})


def _known_stamps(split: Artifact) -> list[str]:
    try:
        known = json.loads(_cache(split).read_text(encoding="utf-8"))
        current = known["ads"] == split.manifest().files.get(ADS)
        return [str(stamp) for stamp in known["stamps"]] if current else []
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []


def _cache(split: Artifact) -> Path:
    return split.root / ".cache/photos.json"
