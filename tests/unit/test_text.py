"""Texts that show their secrets masked: rendering, and differences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from pyinfra.api.hiddenvalue import HiddenValue

from operations import text
from operations.text import Text, render
from settings.redis import RedisSettings
from settings.secret import Secret

REDIS = RedisSettings(bind=("127.0.0.1",), password=None, clients=())


def hidden(value: str) -> Secret:
    return Secret(value)


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(text, "_TEMPLATES", tmp_path)
    text._environment.cache_clear()
    yield tmp_path
    text._environment.cache_clear()


def rendered(templates: Path, template: str, **values: object) -> Text:
    (templates / "t.j2").write_text(template)
    text._environment.cache_clear()
    return render("t.j2", private=False, **values)


def test_render_reveals_to_the_host_and_masks_for_people(templates: Path) -> None:
    result = rendered(templates, "a = {{ a }}\nb = {{ b }}\n", a=hidden("s3cret"), b=1)
    assert result == Text("a = s3cret\nb = 1\n", "a = *MASKED*\nb = 1\n")
    assert "s3cret" not in repr(result)
    assert "s3cret" not in str(result)


def test_filters_keep_secrets_secret(templates: Path) -> None:
    result = rendered(templates, "{{ a | uri | ini }} {{ b | uri }} {{ b | ini }}\n", a=hidden("p%/ä"), b="x%")
    assert result == Text("p%%25%%2F%%C3%%A4 x%25 x%%\n", "*MASKED* x%25 x%%\n")


@pytest.mark.parametrize(
    "expression",
    [
        '"postgresql://" ~ s',
        's ~ "x"',
        '"%s" | format(s)',
        "[s, s] | join(',')",
        "s | string",
        "s | upper",
        "s | lower",
        "s | capitalize",
        "s | urlencode",
        "s | replace('M', 'M')",
        "s | trim",
        "s | e",
        "[s]",
        "{'key': s}",
    ],
)
def test_a_secret_that_loses_its_type_is_refused(expression: str, templates: Path) -> None:
    with pytest.raises(ValueError, match=r"t\.j2: a secret became plain text"):
        rendered(templates, f"x = {{{{ {expression} }}}}\n", s=hidden("s3cret"))


@pytest.mark.parametrize(
    "expression",
    [
        '"a" + s',
        "s | length",
        "s | tojson",
        "s[0]",
        "s.unmask()",
        "s['unmask']()",
        "(s | attr('unmask'))()",
        "[s] | map(attribute='unmask') | first",
        "s._value",
    ],
)
def test_other_uses_of_a_secret_fail(expression: str, templates: Path) -> None:
    with pytest.raises((TypeError, jinja2.UndefinedError)):
        rendered(templates, f"x = {{{{ {expression} }}}}\n", s=hidden("s3cret"))


def test_a_secret_set_within_the_template_stays_one(templates: Path) -> None:
    assert rendered(templates, "{% set x = s %}{{ x }}\n", s=hidden("s3cret")).masked == "*MASKED*\n"
    with pytest.raises(ValueError, match="became plain text"):
        rendered(templates, '{% macro o(v) %}{{ v }}{% endmacro %}{{ o("a" ~ s) }}\n', s=hidden("s3cret"))


@pytest.mark.parametrize("template", ["{{ nothing }}\n", "{{ a.nothing }}\n", "{% if nothing %}{% endif %}\n"])
def test_undefined_names_are_errors(template: str, templates: Path) -> None:
    with pytest.raises(jinja2.UndefinedError):
        rendered(templates, template, a=1)


def test_templates_keep_their_last_newline_and_are_not_html(templates: Path) -> None:
    assert rendered(templates, "{% if a %}\n<&>{{ a }}\n{% endif %}\n", a="<").secret == "<&><\n"


def test_a_value_that_looks_like_a_template_is_not_one(templates: Path) -> None:
    assert rendered(templates, "{{ a }}\n", a="{{ b }}").secret == "{{ b }}\n"


def difference(secret: str, masked: str, current: str) -> str:
    return "\n".join(Text(secret, masked).diff(current.splitlines()))


def test_a_difference_without_secrets_is_shown_whole() -> None:
    shown = "\n".join(Text.plain("a\nb\n").diff(["a", "c"]))
    assert "-c" in shown
    assert "+b" in shown


def test_a_rotated_secret_is_named_but_not_shown() -> None:
    shown = difference("user = u\npassword = new\n", "user = u\npassword = *MASKED*\n", "user = u\npassword = old\n")
    assert shown.strip() == "only the value of a secret changes"


def test_nothing_is_said_to_change_when_nothing_does() -> None:
    """When only mode or owner drifted."""
    assert difference("password = same\n", "password = *MASKED*\n", "password = same\n") == ""
    assert difference("a\n", "a\n", "a\n") == ""


def test_a_rotated_secret_next_to_another_change() -> None:
    shown = difference("port = 2\npassword = new\n", "port = 2\npassword = *MASKED*\n", "port = 1\npassword = old\n")
    assert "+port = 2" in shown
    assert " password = *MASKED*" in shown
    assert "old" not in shown.replace("on the host", "")
    assert "new" not in shown


@pytest.mark.parametrize(
    "current",
    [
        "passwd: old",  # another label
        "password=old",  # another spacing
        "  password = old",
        "url = redis://:old@host/0",  # another form
        "old",  # a line of a secret with several
        "# password = old",
        "password = old ; and more",
    ],
)
def test_a_line_that_may_hold_a_secret_in_another_form_is_not_shown(current: str) -> None:
    shown = difference("password = new\n", "password = *MASKED*\n", f"{current}\n").replace("on the host", "")
    assert "old" not in shown
    assert "new" not in shown


def test_several_secrets_in_one_line() -> None:
    masked = "url = amqp://*MASKED*:*MASKED*@host/x?key=*MASKED*\n"
    new = "url = amqp://user:new@host/x?key=k2\n"
    shown = difference(new, masked, "url = amqp://user:old@host/x?key=k1\n")
    assert shown.strip() == "only the value of a secret changes"
    shown = difference(new, masked, "url = amqp://user:old@other/x?key=k1\n").replace("on the host", "")
    assert not {"old", "k1", "new", "k2", "user:"} & set(shown.replace(":", ": ").split())
    assert "old" not in shown
    assert "k1" not in shown


def test_a_secret_with_several_lines() -> None:
    secret = "-----BEGIN\nAAAA\nBBBB\n-----END"
    shown = difference(f"{secret}\n", "*MASKED*\n", "-----BEGIN\nCCCC\n-----END\n")
    assert "CCCC" not in shown
    assert "AAAA" not in shown


def test_a_secret_that_is_added_or_removed() -> None:
    assert "+password = *MASKED*" in difference("a = 1\npassword = new\n", "a = 1\npassword = *MASKED*\n", "a = 1\n")
    shown = difference("a = 1\nb = new\n", "a = 1\nb = *MASKED*\n", "a = 1\nb = old\npassword = old2\n")
    assert "old" not in shown.replace("on the host", "")


def test_a_secret_that_is_no_longer_used_is_not_shown() -> None:
    """Redis moves to the portal's own host, and its configuration loses the password."""
    text = render("redis/redis.conf.j2", REDIS, private=True, bind="127.0.0.1", password=None)
    shown = "\n".join(text.diff(["requirepass 0ld"]))
    assert "0ld" not in shown


def test_values_with_the_characters_of_regular_expressions() -> None:
    masked = "re = (*MASKED*)+[a.b]\n"
    assert "only the value" in difference("re = (new)+[a.b]\n", masked, "re = (old)+[a.b]\n")
    shown = difference("re = (new)+[a.b]\n", masked, "re = (old)+[aXb]\n").replace("on the host", "")
    assert "old" not in shown


def test_hidden_values_of_pyinfra_are_secrets_too(templates: Path) -> None:
    assert rendered(templates, "{{ s }}\n", s=HiddenValue("x")).masked == "*MASKED*\n"  # type: ignore[no-untyped-call]


def test_a_secret_of_several_lines_is_masked_line_by_line(templates: Path) -> None:
    key = "-----BEGIN KEY-----\nabcdef\n\nghijkl\n-----END KEY-----"
    result = rendered(templates, "a\n{{ s }}\nb\n", s=hidden(key))
    assert result.secret == f"a\n{key}\nb\n"
    assert result.masked == f"a\n{text.MASK}\n{text.MASK}\n\n{text.MASK}\n{text.MASK}\nb\n"
    former = key.replace("abc", "xyz")
    assert result.diff(f"a\n{former}\nb\n".splitlines()) == ["  only the value of a secret changes"]
    changed = "\n".join(result.diff(f"a\n{former}\nc\n".splitlines()))
    assert f"-{text.MASK}\n+b" in changed and "xyz" not in changed and "ghi" not in changed
