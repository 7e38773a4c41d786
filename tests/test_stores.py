"""Addresses of stores, and waiting for one, without a server."""

import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.data.attempts import Attempts, NotReadError, Patience
from adcat.data.fetching import local_name
from adcat.data.stores import Address, is_in_store
from adcat.errors import BadInputError
from adcat.settings import place, without_credentials

SOMEWHERE = Address("s3://bucket/photos")


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


@pytest.mark.parametrize(
    ("typed", "expected"),
    {
        "s3://bucket/a//b": "s3://bucket/a//b",
        "hdfs:///ads.csv": "hdfs:///ads.csv",
        "file:///a%20b/ads.csv": Path("/a b/ads.csv"),
        "photos//here": Path("photos/here"),
        "C://photos": Path("C:/photos"),
        "./s3://bucket": Path("s3:/bucket"),
    }.items(),
)
def test_an_address_stays_as_it_is_typed(typed, expected):
    assert place(typed) == expected


@pytest.mark.parametrize(
    ("word", "shown"),
    {
        "s3://KEY:SECRET@bucket/a.csv": "s3://bucket/a.csv",
        "S3://KEY:SEC/RET@bucket/a.csv": "s3://bucket/a.csv",
        "--images=ftp://user:word@host/p?token=x": "--images=ftp://host/p",
        "gs://anonymous@bucket": "gs://bucket",
        "abfs://container:KEY@account/x": "abfs://container@account/x",
        "s3://bucket/photo@2x.png": "s3://bucket/photo@2x.png",
        "hdfs://host:8020/photo@2x.png": "hdfs://host:8020/photo@2x.png",
        "a:b@c": "a:b@c",
    }.items(),
)
def test_what_is_shown_has_no_credentials(word, shown):
    assert without_credentials(word) == shown
    assert "KEY" not in repr(Address(word))


def test_what_a_driver_says_is_shown_without_the_credentials():
    address = Address("ftp://user:pass%20word@host/p?sig=token")
    said = "530 user: 'pass word' is no user's; ftp://user:pass%20word@host/p?sig=token"
    hidden = "530 ***: '***' is no ***'s; ftp://***@host/p?***"
    assert address.without_secrets(said) == hidden
    short = Address("sftp://u:w@host")
    assert short.without_secrets("you were refused: w") == "you were refused: ***"


@pytest.mark.parametrize(
    ("address", "parent"),
    {
        "s3://bucket/ads.csv": "s3://bucket",
        "s3://bucket/a/a/": "s3://bucket/a",
        "hdfs:///ads.csv": "hdfs:///",
        "s3://k:s@bucket/a/ads.csv?region=x": "s3://k:s@bucket/a?region=x",
    }.items(),
)
def test_the_folder_of_a_file(address, parent):
    assert Address(address).parent == Address(parent)


@pytest.mark.parametrize("address", ["s3://bucket", "s3://bucket/a/.."])
def test_what_is_no_file_lies_in_no_folder(address):
    with pytest.raises(BadInputError, match="expected s3://BUCKET/FILE"):
        _ = Address(address).parent


def test_what_is_in_a_store():
    assert all(map(is_in_store, ["s3://b/x", "gs://b/x", "sftp://h/x"]))
    assert not any(map(is_in_store, ["https://h/x", "file:///x", "x.png", "data:image/png,x"]))


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "fsspec"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    result = run("-w", tmp_path, "split", "sftp://user:word@host/ads.csv")
    expected = "error: sftp://host: sftp:// needs fsspec; type: pip install"
    assert result.exit_code == 1
    assert result.stderr == f"{expected} 'adcat[stores]'\n"


def test_pages_are_not_read(tmp_path):
    for words in (["https://host/ads.csv"], ["ads.csv", "--images", "https://host/photos"]):
        result = run("-w", tmp_path, "split", *words)
        assert result.exit_code == 1
        assert "https:// is not read; download the files first" in result.stderr


def test_an_address_of_a_file_is_a_path(tmp_path):
    result = run("-w", tmp_path, "split", f"file://{tmp_path}/ads.csv")
    assert result.stderr == f"error: {tmp_path}/ads.csv does not exist; expected a table of ads\n"


def test_local_names_tell_all_names_apart_and_stay_in_their_folder():
    names = ["a.png", "A.png", "a/b.png", "a//b.png", "../a", "..", ".", ".a", "", "a\0", "/a"]
    names += ["o\u0308.png", "ö.png", "a%2Fb.png", "x" * 300, "@" + "0" * 32, "\ud800"]
    found = list(map(local_name, names))
    assert len({name.casefold() for name in found}) == len(names)
    assert found[0] == "a.png"
    assert not any("/" in name or name.startswith(".") or len(name) > 100 for name in found)


def test_what_fails_is_tried_again():
    tried = []

    def work():
        tried.append(1)
        if len(tried) < 3:
            raise OSError("AWS Error SLOW_DOWN during GetObject operation: No response body.")
        return "done"

    assert Attempts(SOMEWHERE, Patience(pause=0)).until_read(work) == "done"
    tried.clear()
    with pytest.raises(NotReadError) as failed:
        Attempts(SOMEWHERE, Patience(attempts=2, pause=0)).until_read(work)
    assert failed.value.cause == "SLOW_DOWN during GetObject operation (attempt 2)"


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("missing"),
        PermissionError("not yours"),
        ValueError("Empty path component"),
        OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body."),
    ],
)
def test_what_stays_as_it_is_is_tried_once(error):
    tried = []

    def work():
        tried.append(1)
        raise error

    with pytest.raises((FileNotFoundError, NotReadError)):
        Attempts(SOMEWHERE, Patience(pause=0)).until_read(work)
    assert len(tried) == 1


def test_many_failures_in_a_row_end_the_run():
    attempts = Attempts(SOMEWHERE, Patience(attempts=1, failures=3))

    def read(error=None):
        if error:
            raise error
        return b"photo"

    broken, missing = OSError("broken"), FileNotFoundError("missing")
    for found in (broken, broken, missing, broken, broken, None, broken, broken):
        if found:
            with pytest.raises((FileNotFoundError, NotReadError)):
                attempts.until_read(lambda error=found: read(error))
        else:
            assert attempts.until_read(read) == b"photo"
    expected = r"s3://bucket/photos: 3 files in a row could not be read; the last one: broken"
    for _ in range(2):  # also for what was still to come
        with pytest.raises(BadInputError, match=expected):
            attempts.until_read(lambda: read(broken))


def test_a_driver_that_waits_for_ever_is_left_behind():
    end = threading.Event()
    attempts = Attempts(SOMEWHERE, Patience(attempts=2, seconds=0.05, pause=0))
    with pytest.raises(NotReadError, match=r"no answer within 0.05 s \(attempt 2\)"):
        attempts.until_read(end.wait)
    end.set()
    assert attempts.until_read(end.wait)
