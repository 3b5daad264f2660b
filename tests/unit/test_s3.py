"""Asking object storages: moto's server, which takes policies and tags but heeds neither, and one that is not there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from facts.s3 import Semantics, SemanticsState
from operations.s3 import trouble

KEY, SECRET = "AKMOTO", "any will do"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def ask(endpoint: str) -> SemanticsState:
    """Ask as a run does, with this environment for CKAN's."""
    fact = Semantics()
    command = fact.command(sys.prefix, endpoint, KEY, "portal-{organization_id}", verify=True).get_raw_value()
    assert SECRET not in command
    done = subprocess.run(["sh", "-c", command], input=f"{SECRET}\n", capture_output=True, text=True, check=False)
    assert SECRET not in done.stdout + done.stderr
    return fact.process((done.stdout or done.stderr).splitlines())


@pytest.fixture(scope="module")
def asked(moto: str) -> SemanticsState:
    """What moto was found to be, beside a bucket of somebody; once, for it takes a while."""
    client(moto).create_bucket(Bucket="of-somebody")
    return ask(moto)


def client(moto: str) -> Any:
    return boto3.client("s3", endpoint_url=moto, aws_access_key_id=KEY, aws_secret_access_key=SECRET)


def test_one_that_lacks_what_dcor_needs(moto: str, asked: SemanticsState) -> None:
    assert asked.state == "lacks"
    assert "privacy: everybody may read a private object (HTTP 200)" in asked.lacks
    sentence = trouble(asked, moto, KEY, "portal")
    assert sentence.startswith(f"the object storage {moto} lacks what DCOR needs: ")
    assert "everybody may read a private object" in sentence and "CKAN was not changed" in sentence


def test_nothing_is_left_in_it(moto: str, asked: SemanticsState) -> None:
    assert [bucket["Name"] for bucket in client(moto).list_buckets()["Buckets"]] == ["of-somebody"]


def test_one_that_is_not_there(moto: str) -> None:
    found = ask("http://127.0.0.1:9")
    assert found.state == "unreachable"
    assert "cannot be reached from portal" in trouble(found, "http://127.0.0.1:9", KEY, "portal")
