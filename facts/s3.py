"""Facts about an object storage: whether it does all that DCOR asks of one. Its secret stays on standard input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.stdin import REST
from facts.value import Value

# What DCOR does, with a bucket of its own that is removed in any case. Everything that can be tried is, so that all
# that is lacking is said at once. Links are signed as DCOR has them signed: by boto3's default, their end a fraction.
_SCRIPT = r"""
import certifi, json, os, secrets, sys, tempfile, time
endpoint, key, bucket, verify, *trusts = sys.argv[1:]
secret = sys.stdin.readline().rstrip("\n")
import warnings
warnings.simplefilter("ignore")
import boto3, requests
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError, SSLError
secure = verify = verify == "yes"
if verify and (trusts[1:] or trusts and os.path.islink(certifi.where())):
    bundle = tempfile.NamedTemporaryFile()
    for path in trusts:
        bundle.write(open(path, "rb").read())
    bundle.flush()
    verify = bundle.name
web = requests.Session()
web.verify = verify
web.trust_env = False
name = bucket.format(organization_id="check-" + secrets.token_hex(8))
config = Config(connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 2},
    s3={"addressing_style": "path"}, request_checksum_calculation="when_required")
client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
    use_ssl=secure, verify=verify, config=config)
lacks = []
def why(error):
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "")
        return "%s, HTTP %s" % (code, error.response["ResponseMetadata"].get("HTTPStatusCode", "?"))
    return str(error)[:300]
def attempt(what, do):
    try:
        found = do()
    except (BotoCoreError, ClientError, requests.RequestException) as error:
        found = why(error)
    if found:
        lacks.append("%s (%s)" % (what, found))
    return not found
def url(action, seconds, method=None, **parameters):
    return client.generate_presigned_url(action, Params={"Bucket": name, **parameters}, ExpiresIn=seconds,
        HttpMethod=method)
def answer(wanted, got):
    return "" if got.status_code in wanted else "HTTP %d" % got.status_code
def anonymous(key, wanted):
    for attempt in range(5):
        said = answer(wanted, web.get("%s/%s/%s" % (endpoint, name, key), timeout=30))
        if not said:
            break
        time.sleep(1)
    return said
def policy():
    client.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::%s/*" % name,
        "Condition": {"StringEquals": {"s3:ExistingObjectTag/public": ["true"]}}}]}))
def tag():
    tags = {"TagSet": [{"Key": "public", "Value": "true"}]}
    client.put_object_tagging(Bucket=name, Key="public", Tagging=tags)
def download():
    disposition = "attachment; filename=\"private.rtdc\""
    got = web.get(url("get_object", 600.5, Key="private", ResponseContentDisposition=disposition), timeout=30)
    said = answer((200,), got)
    return said or ("" if "private.rtdc" in got.headers.get("content-disposition", "") else "another file name came")
def multipart():
    started = client.create_multipart_upload(Bucket=name, Key="parts")["UploadId"]
    parts = []
    for number, size in ((1, 5 << 20), (2, 1)):
        part = url("upload_part", 600, "PUT", Key="parts", UploadId=started, PartNumber=number)
        got = web.put(part, data=b"x" * size, timeout=60)
        if answer((200,), got):
            return "part %d: HTTP %d" % (number, got.status_code)
        parts.append("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>" % (number, got.headers.get("ETag", "")))
    body = "<CompleteMultipartUpload>%s</CompleteMultipartUpload>" % "".join(parts)
    end = url("complete_multipart_upload", 600, "POST", Key="parts", UploadId=started)
    said = answer((200,), web.post(end, data=body, timeout=60))
    return said or ("" if client.head_object(Bucket=name, Key="parts")["ContentLength"] == (5 << 20) + 1 else "cut")
def clean():
    for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", []):
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for one in client.list_objects_v2(Bucket=name).get("Contents", []):
        client.delete_object(Bucket=name, Key=one["Key"])
    client.delete_bucket(Bucket=name)
state = "works"
try:
    client.list_buckets()
except SSLError as error:
    state, lacks = "certificate", [why(error)]
except BotoCoreError as error:
    state, lacks = "unreachable", [why(error)]
except ClientError as error:
    state, lacks = "refused", [why(error)]
if state == "works" and attempt("buckets that its key makes", lambda: client.create_bucket(Bucket=name) and ""):
    try:
        if attempt("objects", lambda: [client.put_object(Bucket=name, Key=k, Body=b"x") for k in
                ("public", "private")] and ""):
            open_to_all = attempt("policies of buckets", policy)
            if attempt("tags of objects", tag) and open_to_all:
                attempt("a policy by s3:ExistingObjectTag: a public object is not for everybody",
                    lambda: anonymous("public", (200,)))
                attempt("privacy: everybody may read a private object", lambda: anonymous("private", (401, 403)))
            attempt("links for downloads with a file name", download)
        attempt("links for uploads", lambda: answer((200,), web.put(url("put_object", 600, "PUT", Key="put"),
            data=b"x" * 10, timeout=30)))
        attempt("uploads in parts", multipart)
    finally:
        attempt("removal of a bucket and what is in it", clean)
print(json.dumps({"state": "lacks" if state == "works" and lacks else state, "lacks": lacks}))
"""


@dataclass(frozen=True)
class SemanticsState(Value):
    """What an object storage can do.

    + state: works, lacks (something), unreachable, certificate (not trusted), refused (the access key), unknown
    + lacks: what it cannot do, or why it cannot be told
    """

    state: str = "unknown"
    lacks: tuple[str, ...] = ()


class Semantics(FactBase[SemanticsState]):
    """Whether an object storage does what DCOR asks of it, tried in a bucket that is removed afterwards.

    + path: of a virtual environment with boto3 and requests
    + endpoint, key: of the object storage; the key's secret is on standard input (``_stdin``)
    + bucket: template of the names of buckets, with ``{organization_id}``
    + verify: check the certificate by what the environment trusts
    + trusts: PEM files on the host that say, together, what is trusted instead: the system's own, and that of a private
      CA. The system's alone count only where the environment was linked to something else than certifi's list
    """

    @override
    def command(
        self, path: str, endpoint: str, key: str, bucket: str, verify: bool, trusts: Sequence[str] = ()
    ) -> StringCommand:
        """Build the one command of this fact; bounded, since each request is and since it is ended after 5 minutes."""
        python = QuoteString(f"{path}/bin/python")
        arguments = map(QuoteString, (endpoint, key, bucket, "yes" if verify else "no", *trusts))
        return StringCommand("timeout 300", python, "-I -c", QuoteString(_SCRIPT), *arguments, *REST)

    @staticmethod
    @override
    def default() -> SemanticsState:
        """Nobody could ask."""
        return SemanticsState()

    @override
    def process(self, output: list[str]) -> SemanticsState:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            found = json.loads(output[-1])
            return SemanticsState(found["state"], tuple(found["lacks"]))
        except (IndexError, KeyError, TypeError, ValueError):
            raise FactProcessError(f"what the object storage does is not understood: {output!r}") from None
