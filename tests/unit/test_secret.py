"""A secret prints masked wherever somebody might print it."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import string
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError
from pyinfra.api import QuoteString, StringCommand
from pyinfra_cli.util import json_encode

from settings.masking import MASK
from settings.secret import Secret

VALUE = "s3cret-%s-{0}-wörd"


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)
    password: Secret
    other: Secret | None = None


@dataclasses.dataclass(frozen=True)
class Holder:
    password: Secret
    words: tuple[Secret, ...] = ()


def shown_by_logging(secret: Secret) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.Logger("x")
    logger.addHandler(handler)
    logger.error("%s %r", secret, [secret])
    logger.error(secret)
    return stream.getvalue()


def shown_by_traceback(secret: Secret) -> str:
    def inner(argument: Secret) -> None:
        local = {"a": [argument]}
        raise ValueError(f"of {argument} in {local}")

    try:
        inner(secret)
    except ValueError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    raise AssertionError


def shown_by_pydantic(secret: Secret) -> str:
    model = Model(password=secret)
    with pytest.raises(ValidationError) as caught:
        Model(password=secret, other=[secret])
    found = [str(model), repr(model), model.model_dump_json(), str(model.model_dump()), str(caught.value)]
    return "".join([*found, str(caught.value.errors()), caught.value.json(), str(model.model_copy(deep=True))])


WAYS: dict[str, Any] = {
    "str": str,
    "repr": repr,
    "ascii": ascii,
    "format": lambda s: f"{s} {s!r} {s:>30} {format(s)}",
    "percent": lambda s: "%s %r" % (s, s),  # noqa: UP031
    "str.format": "{0} {0!r} {0:10}".format,
    "template": lambda s: string.Template("$a").substitute(a=s),
    "in containers": lambda s: str([s, {"a": s}, (s,), {s}]),
    "pprint": lambda s: pprint.pformat({"a": Holder(s, (s,))}),
    "dataclass": lambda s: str(Holder(s, (s,))) + str(dataclasses.asdict(Holder(s, (s,)))),
    "its attributes": lambda s: str(vars(s)) + str(s.__dict__),
    "JSON of pyinfra": lambda s: json.dumps({"a": s}, default=json_encode),
    "to_json": lambda s: s.to_json(),
    "masked_value": lambda s: s.masked_value,
    "print": lambda s: (stream := io.StringIO(), print(s, file=stream), stream.getvalue())[2],
    "a copy": lambda s: str([copy.copy(s), copy.deepcopy({"a": s})]),
    "pyinfra's command": lambda s: str(StringCommand("echo", QuoteString(s))),
    "logging": shown_by_logging,
    "traceback with locals": shown_by_traceback,
    "pydantic": shown_by_pydantic,
}


@pytest.mark.parametrize("way", WAYS)
def test_masked(way: str) -> None:
    shown = WAYS[way](Secret(VALUE))
    assert VALUE not in shown and "s3cret" not in shown
    assert MASK in shown or way == "its attributes"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=6))
def test_any_value_is_masked(value: str) -> None:
    if value in f"{MASK} {[MASK]} 30":
        return
    secret = Secret(value)
    assert f"{secret} {secret!r} {[secret]} {secret:<3}" == f"{MASK} {MASK} [{MASK}] {MASK}"
    assert secret.unmask() == value
    assert copy.deepcopy(secret).unmask() == value


PARTS: dict[str, Any] = {
    "join": lambda s: "".join([s]),
    "plus": lambda s: "a" + s,
    "plus, on the left": lambda s: s + "a",
    "index": lambda s: s[0],
    "slice": lambda s: s[1:],
    "iteration": list,
    "length": len,
    "membership": lambda s: "3" in s,
    "bytes": bytes,
    "encode": lambda s: s.encode(),
    "pickle": pickle.dumps,
    "an old pickle": lambda s: pickle.dumps(s, 0),
    "plain JSON": json.dumps,
    "raw_value": lambda s: s.raw_value,
    "another value": lambda s: setattr(s, "_value", "x"),
    "another mask": lambda s: setattr(s, "masked_value", "%s"),
    "pydantic from a string": lambda s: Model(password=s.unmask()),
}


@pytest.mark.parametrize("way", PARTS)
def test_it_has_no_parts(way: str) -> None:
    with pytest.raises((TypeError, AttributeError, ValidationError)) as caught:
        PARTS[way](Secret(VALUE))
    assert "s3cret" not in str(caught.value)


def test_a_copy_is_the_secret_itself() -> None:
    secret = Secret(VALUE)
    assert copy.copy(secret) is secret and copy.deepcopy([secret])[0] is secret
    assert bool(secret)
