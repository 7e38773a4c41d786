"""What the tests of stores and clusters share."""

import os

import pytest
from faulty_store import KEYS, FaultyStore

os.environ.setdefault("ADCAT_ENGINE", "tensorflow")


@pytest.fixture
def store(monkeypatch):
    """An S3 server, and an environment that leads to it."""
    with FaultyStore().serving() as serving:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": serving.address}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield serving
