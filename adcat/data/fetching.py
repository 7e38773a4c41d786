"""Photos and tables that lie in a store."""

import atexit
import contextlib
import dataclasses
import functools
import hashlib
import re
import shutil
import tempfile
import unicodedata
from pathlib import Path

from adcat.data.attempts import USUAL, Attempts, NotReadError, Patience
from adcat.data.image_names import images_folder, is_url, locate
from adcat.data.rejections import Reason
from adcat.data.stores import Address, open_store
from adcat.errors import BadInputError
from adcat.progress import Progress
from adcat.settings import Place

THREADS = 64  # that wait for the network at once
MOST_BYTES = 1 << 26  # of a photo
BLOCK = 1 << 23  # bytes of a table read at a time
PLAIN = re.compile(r"[a-z0-9_-][a-z0-9_.-]{0,99}")  # a name that every disk takes as it is


@dataclasses.dataclass(frozen=True, slots=True)
class Absence:
    """Why a photo is absent."""

    reason: Reason
    cause: str = ""

    def __str__(self) -> str:
        """The reason with its cause."""
        return f"{self.reason}: {self.cause}" if self.cause else self.reason


class Store:
    """A folder of photos in a store."""

    def __init__(self, address: Address, patience: Patience = USUAL) -> None:
        """Opens the store.

        Raises:
          BadInputError: it cannot be opened.
        """
        import pyarrow as pa

        pa.set_io_thread_count(max(THREADS, pa.io_thread_count()))  # S3 opens as many connections
        self.address = address
        self._attempts = Attempts(address, patience)
        self._files, root = self._attempts.until_read(lambda: open_store(address))
        self._root = root.rstrip("/")

    def __str__(self) -> str:
        """Its address, without credentials."""
        return str(self.address)

    def check(self) -> "Store":
        """Returns the store, having seen that something is at its address.

        Raises:
          BadInputError: nothing is there, or the store does not let anybody look.
        """
        from pyarrow.fs import FileType

        try:
            info = self._attempts.until_read(lambda: self._files.get_file_info(self._root or "/"))
        except NotReadError as error:
            if "denied" in error.cause.lower():  # who may read files need not list them
                return self
            raise
        if info.type == FileType.NotFound:
            raise BadInputError(f"nothing is at {self.address}; expected a folder of photos")
        return self

    def photo(self, name: str) -> bytes | Absence:
        """The photo of this name, which may be an address below the store's own.

        Raises:
          BadInputError: the store leaves too much unanswered, or nothing can be read any more.
        """
        key = self._key(name)
        if isinstance(key, Absence):
            return key
        other_forms = [unicodedata.normalize(form, key) for form in ("NFC", "NFD")]
        try:
            for spelled in dict.fromkeys([key, *other_forms]):
                with contextlib.suppress(FileNotFoundError):
                    return self._attempts.until_read(functools.partial(self._content, spelled))
        except NotReadError as error:
            return Absence(Reason.IMAGE_NOT_FETCHED, error.cause)
        return Absence(Reason.IMAGE_MISSING)

    def save(self, name: str, target: Path, progress: Progress) -> None:
        """Copies a file of the store, whatever its size.

        Raises:
          BadInputError: it is missing, cannot be read, or changes meanwhile.
        """
        path = f"{self._root}/{name}"
        try:
            size, version = self._attempts.until_read(lambda: self._version(path))
            with (
                progress.task(f"fetching {name}", size // 1024, "kB") as task,
                target.open("wb") as file,
            ):
                for start in range(0, size, BLOCK):
                    read = functools.partial(self._block, path, start, min(BLOCK, size - start))
                    block, of_version = self._attempts.until_read(read)
                    if of_version != version:
                        again = "run the same command again"
                        raise BadInputError(f"{self}/{name} changed while it was read; {again}")
                    task.advance(file.write(block) // 1024)
        except FileNotFoundError:
            raise BadInputError(f"{self}/{name} does not exist; expected a table of ads") from None

    def _key(self, name: str) -> str | Absence:
        """Where in the store a photo of this name lies."""
        own = f"{self.address}/"
        if is_url(name):
            if not name.startswith(own):
                return Absence(Reason.IMAGE_IS_URL)
            name = name.removeprefix(own)
        name = name.removeprefix("./")
        if name.startswith("/") or ".." in name.split("/"):
            return Absence(Reason.IMAGE_OUTSIDE)
        return f"{self._root}/{name}"

    def _content(self, path: str) -> bytes:
        with self._files.open_input_file(path) as file:
            if (size := file.size()) > MOST_BYTES:
                raise ValueError(f"{size:,} bytes are too many")
            content = file.read()
        if len(content) != size:
            raise OSError(f"{len(content):,} of {size:,} bytes arrived")
        return content

    def _version(self, path: str) -> tuple[int, object]:
        """The size of a file, and what S3 tells its versions apart by."""
        with self._files.open_input_file(path) as file:
            return file.size(), file.metadata()

    def _block(self, path: str, start: int, size: int) -> tuple[bytes, object]:
        with self._files.open_input_file(path) as file:
            block, version = file.read_at(size, start), file.metadata()
        if len(block) != size:
            raise OSError(f"{len(block):,} of {size:,} bytes arrived")
        return block, version


def local_name(name: str) -> str:
    """What the file of a photo is called that somebody named, in a folder without others.

    No two names share a file, also where a disk does not tell capitals from small letters.
    """
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return name if PLAIN.fullmatch(name) else f"@{digest}"


def photos_in(table: Place, given: Place | None) -> Path | Store:
    """Where the images lie that a table names: what is given, or where the table itself lies.

    Raises:
      BadInputError: the folder does not exist.
    """
    if isinstance(given, str):
        return Store(Address(given)).check()
    if given is None and isinstance(table, str):
        return Store(Address(table).parent)
    return images_folder(Path(table), given)


def found_in(images: Path | Store, name: str) -> Path | bytes | str:
    """The photo of this name, as a file or as its bytes, or what is wrong.

    Raises:
      BadInputError: the store does not answer, or lets nothing be read.
    """
    found = locate(images, name) if isinstance(images, Path) else images.photo(name)
    return str(found) if isinstance(found, Absence) else found


def local_table(table: Path | Address, folder: Path, progress: Progress) -> Path:
    """The file of a table; one that lies in a store is copied into the folder.

    Raises:
      BadInputError: it cannot be read.
    """
    if isinstance(table, Path):
        return table
    Store(table.parent).save(table.name, folder / table.name, progress)
    return folder / table.name


def table_here(
    table: Place | None, images: Place | None, progress: Progress, beside: Path | None = None
) -> tuple[Path | None, Place | None]:
    """The file of a table, and where its images lie if that was not its own folder.

    A table of a store is copied into a temporary folder, which lasts as long as this process, and
    lies `beside` what is given, if other machines are to see it.

    Raises:
      BadInputError: it cannot be read.
    """
    if not isinstance(table, str):
        return table, images
    folder = tempfile.mkdtemp(prefix=".adcat-", dir=beside and beside.resolve().parent)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    address = Address(table)
    return local_table(address, Path(folder), progress), images or address.parent.text
