"""Stores of files other than the disks of this machine, by their addresses.

S3, Google Cloud Storage and HDFS are opened by Arrow, all others by what fsspec knows.
"""

import dataclasses
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from adcat.errors import MOST_OF_A_REASON, AdcatError, BadInputError
from adcat.settings import Place, split_address, without_credentials

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

S3 = ("s3", "s3a", "s3n")
GOOGLE = ("gs", "gcs")
ARROWS_OWN = ("hdfs", "viewfs")  # not Azure: without credentials Arrow ends the process
REFUSED = ("http", "https")
S3_OPTIONS = ("region", "scheme", "endpoint_override")  # that may follow a `?`
CONNECT = 5.0  # seconds
IDLE = 10.0  # seconds without a byte, of S3; without success, of Google
S3_ATTEMPTS = 3  # of one request, for what S3 itself calls passing
NEEDS = {
    "hdfs": "Hadoop's client: set JAVA_HOME, HADOOP_HOME and CLASSPATH "
    "(export CLASSPATH=$(hadoop classpath --glob))",
}
# As in: When reading information for key 'a.jpg' in bucket 'b': AWS Error ACCESS_DENIED during …
AWS_ERROR = re.compile(r"AWS Error (.*)", re.S)
OF_ONE_REQUEST = re.compile(r"No response body\.$| \(Request ID: .*?\)")


@dataclasses.dataclass(frozen=True)
class Address:
    """The address of a file or a folder in a store; as text it lacks credentials."""

    text: str = dataclasses.field(repr=False)  # as it was given

    def __str__(self) -> str:
        """The address as it may be shown and recorded."""
        shown = without_credentials(self.text)
        return shown.rstrip("/") if self.path else shown

    @property
    def scheme(self) -> str:
        """What stands before `://`, in small letters."""
        return split_address(self.text)[0]

    @property
    def path(self) -> str:
        """The bucket and what is in it; of most other stores the host first."""
        return split_address(self.text)[2].partition("?")[0].rstrip("/")

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> "Address":
        """The folder that it lies in.

        Raises:
          BadInputError: it lies in none.
        """
        if "/" not in self.path or self.name in (".", ".."):
            expected = f"{self.scheme}://BUCKET/FILE"
            raise BadInputError(f"{self} is not the address of a file; expected {expected}")
        before, mark, query = self.text.partition("?")
        kept = before.rstrip("/").removesuffix(self.name)
        shorter = kept if kept.endswith(":///") else kept.removesuffix("/")
        return Address(shorter + mark + query)

    def resolve(self) -> "Address":
        """The address itself, which depends on no current folder."""
        return self

    def without_secrets(self, message: str) -> str:
        """What a driver said, without the credentials in the address."""
        _, user, asked = split_address(self.text)
        query = asked.partition("?")[2]
        secrets = {user, *user.split(":"), query, *(value for _, value in parse_qsl(query))}
        for secret in sorted(filter(None, {*secrets, *map(unquote, secrets)}), key=len)[::-1]:
            message = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", message)
        return message


def is_in_store(text: str) -> bool:
    """Whether it is the address of a file in a store, not of a page or of a file here."""
    return split_address(text)[0] not in ("", "file", *REFUSED)


def located(place: Place) -> Path | Address:
    """A place as what it is."""
    return Address(place) if isinstance(place, str) else place


def open_store(address: Address) -> "tuple[FileSystem, str]":
    """The store that an address is in, and where in it that is.

    Raises:
      BadInputError: it is not the address of a store, or what opens that is not installed.
    """
    scheme = address.scheme
    if scheme in REFUSED:
        raise BadInputError(f"{address}: {scheme}:// is not read; download the files first")
    try:
        if scheme in S3:
            return _s3(address), address.path
        if scheme in GOOGLE:
            return _google(address), address.path
        return _by_arrow(address) if scheme in ARROWS_OWN else _by_fsspec(address)
    except AdcatError:
        raise
    except Exception as error:  # drivers raise nearly anything
        needs = f"{scheme}:// needs {NEEDS[scheme]}; " if scheme in NEEDS else ""
        raise BadInputError(f"{address}: {needs}{in_words(error, address)}") from None


def in_words(error: BaseException, address: Address) -> str:
    """The cause of an error, in a line that does not depend on which file it was about."""
    text = str(error).strip() or type(error).__name__
    found = AWS_ERROR.search(text)
    line = OF_ONE_REQUEST.sub("", (found[1] if found else text).splitlines()[0])
    return address.without_secrets(line).rstrip(" :")[:MOST_OF_A_REASON]


def _s3(address: Address) -> "FileSystem":
    """S3 with the credentials, the region and the endpoint that AWS' own tools would take."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    _, user, asked = split_address(address.text)
    options = dict(parse_qsl(asked.partition("?")[2]))
    if unknown := set(options) - set(S3_OPTIONS):
        expected = f"one of {', '.join(S3_OPTIONS)} behind the ?"
        raise BadInputError(f"{address}: expected {expected}, found {sorted(unknown)[0]}")
    environment = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if environment and "endpoint_override" not in options:
        endpoint = urlsplit(environment if "//" in environment else f"https://{environment}")
        options = {"scheme": endpoint.scheme, **options}
        options["endpoint_override"] = endpoint.netloc + endpoint.path.rstrip("/")
    options["region"] = options.get("region") or _region(address, options)
    if user:
        key, _, secret = user.partition(":")
        options |= {"access_key": unquote(key), "secret_key": unquote(secret)}
    return S3FileSystem(
        **options,
        connect_timeout=CONNECT,
        request_timeout=IDLE,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=S3_ATTEMPTS),
        tls_ca_file_path=os.environ.get("AWS_CA_BUNDLE"),
    )


def _region(address: Address, options: dict[str, str]) -> str:
    from pyarrow.fs import resolve_s3_region

    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    if found := next(filter(None, map(os.environ.get, names)), ""):
        return found
    if "endpoint_override" in options:  # most servers other than Amazon's ignore it
        return "us-east-1"
    return resolve_s3_region(address.path.partition("/")[0])


def _google(address: Address) -> "FileSystem":
    from pyarrow.fs import GcsFileSystem

    anonymous = split_address(address.text)[1] == "anonymous"
    return GcsFileSystem(anonymous=anonymous, retry_time_limit=timedelta(seconds=IDLE))


def _by_arrow(address: Address) -> "tuple[FileSystem, str]":
    from pyarrow.fs import FileSystem

    return FileSystem.from_uri(address.text)


def _by_fsspec(address: Address) -> "tuple[FileSystem, str]":
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        from fsspec.core import url_to_fs  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        needs = f"{address.scheme}:// needs fsspec"
        raise BadInputError(f"{address}: {needs}; type: pip install 'adcat[stores]'") from None
    files, path = url_to_fs(address.text)
    return PyFileSystem(FSSpecHandler(files)), path
