from __future__ import annotations

from pathlib import Path

from settings.reference import page

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def test_the_page_of_settings_is_up_to_date() -> None:
    """After a change: ``python -m settings.reference > docs/settings.md``."""
    assert (DOCS / "settings.md").read_text() == page()
