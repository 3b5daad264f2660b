"""The object storage as CKAN's libraries see it on the portal's host, and as anybody does who was given a link."""

from __future__ import annotations

from lab import inside
from tests.lab.harness.portal_host import NAME

PYTHON = "/usr/lib/ckan/default/bin/python"
_CLIENT = """
import json, sys, boto3
from botocore.exceptions import ClientError
url, key, *more = sys.argv[1:]
secret = sys.stdin.read()
client = boto3.client("s3", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, verify=True)
"""
_BUCKETS = """
try:
    print(json.dumps([b["Name"] for b in client.list_buckets()["Buckets"]]))
except ClientError as error:
    print(error.response["Error"]["Code"])
"""
_LINK = """
bucket, name = more
client.create_bucket(Bucket=bucket)
print(client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": name}, ExpiresIn=600))
"""
_TAKE = """
bucket, name = more
print(client.get_object(Bucket=bucket, Key=name)["Body"].read().decode())
client.delete_object(Bucket=bucket, Key=name)
client.delete_bucket(Bucket=bucket)
"""
# Python's own library, since a bare host has no other. It sends no content type: DCOR's links are signed for none.
_UPLOAD = """
import http.client, ssl, sys
from urllib.parse import urlsplit
link, text, authority = sys.stdin.read().split("\\n", 2)
url, context = urlsplit(link), ssl.create_default_context(cadata=authority)
connection = http.client.HTTPSConnection(url.netloc, timeout=60, context=context)
connection.request("PUT", f"{url.path}?{url.query}", text.encode())
print(connection.getresponse().status)
"""


def accepted(url: str, key: str, secret: str) -> str:
    """What the storage at URL answers to KEY with SECRET: a list of buckets, or an error's code."""
    return _ask(_BUCKETS, url, key, secret)


def link(url: str, key: str, secret: str, bucket: str, name: str) -> str:
    """Make BUCKET and a signed link by which anybody may upload its object NAME."""
    return _ask(_LINK, url, key, secret, bucket, name)


def take(url: str, key: str, secret: str, bucket: str, name: str) -> str:
    """Return the text of the object NAME in BUCKET, and remove both."""
    return _ask(_TAKE, url, key, secret, bucket, name)


def upload(source: str, target: str, text: str, authority: str) -> str:
    """Upload TEXT from the lab host SOURCE by the link TARGET; the status.

    + authority: PEM of the only certificate that is trusted there
    """
    return inside.run(source, ["python3", "-c", _UPLOAD], text=f"{target}\n{text}\n{authority}").stdout.strip()


def _ask(code: str, url: str, key: str, secret: str, *more: str) -> str:
    return inside.run(NAME, [PYTHON, "-c", _CLIENT + code, url, key, *more], text=secret).stdout.strip()
