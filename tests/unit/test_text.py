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

REDIS = RedisSettings(bind=("127.0.0.1",), password=Secret("not used"), clients=())


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
    assert shown.splitlines()[2:] == ["@@ line 1 @@", " user = u", "~password = *** → ***"]


def test_what_it_means_that_a_secret_changes_is_said(templates: Path) -> None:
    """Here, and where something else changes, too."""
    template = 'a = {{ a }}\nkey = {{ key | ini | changes("sessions become void") }}\nend = {{ key }}\n'
    result = rendered(templates, template, a=1, key=hidden("new"))
    assert result.masked == "a = 1\nkey = *MASKED*\nend = *MASKED*\n"
    for a in "1", "2":
        shown = result.diff([f"a = {a}", "key = old", "end = old"])
        assert "~key = *** → *** (changes: sessions become void)" in shown
        assert "~end = *** → ***" in shown
    assert "+key = ***" in result.diff(["a = 1"])
    assert not [line for line in result.diff(["a = 2", "key = new", "end = new"]) if "~" in line]


def test_nothing_is_said_to_change_when_nothing_does() -> None:
    """When only mode or owner drifted."""
    assert difference("password = same\n", "password = *MASKED*\n", "password = same\n") == ""
    assert difference("a\n", "a\n", "a\n") == ""


def test_a_rotated_secret_next_to_another_change() -> None:
    shown = difference("port = 2\npassword = new\n", "port = 2\npassword = *MASKED*\n", "port = 1\npassword = old\n")
    assert "+port = 2" in shown
    assert "-port = 1" in shown
    assert "~password = *** → ***" in shown
    assert "old" not in shown.replace("on the host", "")
    assert "new" not in shown


def test_a_secret_that_stays_next_to_another_change() -> None:
    text = "port = 2\npassword = same\n"
    shown = difference(text, "port = 2\npassword = *MASKED*\n", "port = 1\npassword = same\n")
    assert " password = ***" in shown.splitlines()
    assert "same" not in shown


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


# Of a file with secrets: what stands there, and what is shown of it (None: nothing).
MAY_HOLD: dict[str, str | None] = {
    "title = old": "-title = old",  # ours says the title, so it is no secret
    "title=old": "-title=old",
    "title = mysql://old:old@host": "-title (not shown: it may be secret)",
    "title = the password is old": "-title (not shown: it may be secret)",
    "rdbcompression yes": "-rdbcompression yes",
    "maxclients 10000": "-maxclients 10000",
    "maxmemory = 300mb": "-maxmemory = 300mb",
    "[app:main]": "-[app:main]",
    "": "-",
    "masterauth 1234": None,
    "requirepass 1234": None,
    "api_key = 1": None,
    "old": None,
    "old ": None,
    "b2xk=": None,  # a private key's last line
    "b2xk==": None,
    "comment = old": None,
    "# old": None,
    "name old": None,
    "password=old": "-password (not shown; its secret changes: all is lost)",
    "  password : old": "-password (not shown; its secret changes: all is lost)",
    "password = 'same'": "~password = *** → *** (changes: all is lost)",
    "password=same": "-password (not shown; its secret stays)",
    "password=samesame": "-password (not shown; its secret changes: all is lost)",
}


@pytest.mark.parametrize("line", MAY_HOLD)
def test_a_line_that_cannot_hold_a_secret_is_shown(line: str) -> None:
    effects = {"password = *MASKED*": "all is lost"}
    text = Text("title = new\npassword = same\n", "title = new\npassword = *MASKED*\n", effects=effects)
    shown = text.diff([line])[3:]
    assert [one for one in shown if one[0] in "-~"] == [MAY_HOLD[line] or "-(a line that may be secret)"]


def test_lines_that_are_not_shown_take_little_room() -> None:
    shown = difference("password = new\n", "password = *MASKED*\n", "# a\n# b\nport 1\n# c\npassword = old\n")
    assert shown.splitlines()[3:] == [
        "-(2 lines that may be secret)", "-port 1", "-(a line that may be secret)", "~password = *** → ***"
    ]  # fmt: skip


def foreign(lines: int) -> list[str]:
    """A redis.conf as a distribution brings it, of so many lines, in which somebody set a password."""
    return [
        ("# a word on it", "rdbcompression yes", "# another", "slaveof host 1")[number % 4] for number in range(lines)
    ]


def test_a_long_file_of_somebody_else_is_summarized() -> None:
    text = render("redis/redis.conf.j2", REDIS, private=True, bind="127.0.0.1", password=hidden("new"))
    ours = next(line for line in text.secret.splitlines() if line.startswith("user ckan "))
    there = [*foreign(2080), ours.replace("new", "old"), '  user else on ">0ld" ~*']
    shown = text.diff(there)
    assert len(shown) < 60
    assert "-(2,080 lines that are there now, too many to show)" in shown
    assert "~user ckan on *** → *** ~* " in "\n".join(shown)
    assert "-user (not shown; its secret changes)" in shown
    assert Text.plain("a\n").diff(foreign(1000))[3:] == ["-(1,000 lines that are there now, too many to show)", "+a"]


def test_a_short_file_of_somebody_else_is_shown() -> None:
    assert Text.plain("a\n").diff(["b"] * 100)[3:] == [*["-b"] * 100, "+a"]


def test_several_secrets_in_one_line() -> None:
    masked = "url = amqp://*MASKED*:*MASKED*@host/x?key=*MASKED*\n"
    new = "url = amqp://user:new@host/x?key=k2\n"
    shown = difference(new, masked, "url = amqp://user:old@host/x?key=k1\n")
    assert shown.splitlines()[-1] == "~url = amqp://***:***@host/x?key=*** (a secret in it changes)"
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
    assert "+password = ***" in difference("a = 1\npassword = new\n", "a = 1\npassword = *MASKED*\n", "a = 1\n")
    shown = difference("a = 1\nb = new\n", "a = 1\nb = *MASKED*\n", "a = 1\nb = old\npassword = old2\n")
    assert "old" not in shown.replace("on the host", "")


def test_a_secret_that_is_no_longer_used_is_not_shown() -> None:
    """An earlier configuration of ours had the password in a line that is there no more."""
    text = render("redis/redis.conf.j2", REDIS, private=True, bind="127.0.0.1", password="nopass")
    shown = "\n".join(text.diff(["requirepass 0ld"]))
    assert "0ld" not in shown


def test_values_with_the_characters_of_regular_expressions() -> None:
    masked = "re = (*MASKED*)+[a.b]\n"
    assert "~re = (*** → ***)+[a.b]" in difference("re = (new)+[a.b]\n", masked, "re = (old)+[a.b]\n")
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
    assert result.diff(f"a\n{former}\nb\n".splitlines()) == [
        "--- on the host", "+++ wanted", "@@ line 1 @@", " a", " ***", "~*** → ***", " ", " ***"
    ]  # fmt: skip
    assert "~*** → *** (2 lines)" in result.diff("a\n1\n2\n\n3\n4\nb\n".splitlines())
    changed = "\n".join(result.diff(f"a\n{former}\nc\n".splitlines()))
    assert "-***\n+b" in changed and "xyz" not in changed and "ghi" not in changed
