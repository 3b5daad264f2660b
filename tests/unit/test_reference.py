from __future__ import annotations

import re
from pathlib import Path

from settings.host import secrets_declared
from settings.reference import page
from settings.schema import settings
from tests.unit import golden

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def test_the_page_of_settings_is_up_to_date() -> None:
    """After a change: ``script/golden``, or ``python -m settings.reference > docs/settings.md``."""
    golden.agrees(DOCS / "settings.md", page())


def test_every_setting_that_people_set_has_an_example() -> None:
    text = page()
    for setting in settings().values():
        if setting.secret and setting.kind == "entered":
            assert re.search(rf"^    python -m settings.secrets set \S+ {setting.name}( < FILE)?$", text, re.MULTILINE)
        elif setting.kind == "configured" and setting.name != "address":
            assert f"\n    {setting.name} = " in text


def test_what_a_secret_must_be_is_said() -> None:
    """As it is with all other settings: what would be refused is told before."""
    text = page()
    for name, spec in secrets_declared().items():
        (row,) = re.findall(rf"^\| `{name}` \|.*", text, re.MULTILINE)
        must = row.split(" | ")[3]
        assert must.startswith(spec.allowed or "one line"), must
        assert (f"`generate` makes {spec.length} characters" in must) == spec.generated
