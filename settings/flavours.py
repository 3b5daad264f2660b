"""What a flavour has where the site says nothing: CKAN's own, and DCOR's (as ``dcor inspect`` wants it)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flavour:
    """Defaults of one flavour.

    + title: of the site
    + language: default language
    + plugins: in order; those of the site's extensions follow
    + views: that a new resource gets
    + storage: folder of uploads
    + folder_mode: of the folders in which CKAN writes
    """

    title: str
    language: str
    plugins: tuple[str, ...]
    views: tuple[str, ...]
    storage: str
    folder_mode: int


FLAVOURS = {
    "ckan": Flavour(
        title="CKAN",
        language="en",
        plugins=("activity", "text_view", "image_view", "webpage_view"),
        views=("image_view", "text_view", "webpage_view"),
        storage="/var/lib/ckan/default",
        folder_mode=0o750,
    ),
    "dcor": Flavour(
        title="DCOR",
        # The one whose words the theme replaces: a circle is an organization, a collection a group.
        language="en_US",
        # dc_serve makes the condensed file that dc_view reads, so it comes first.
        plugins=(
            *("stats", "text_view", "image_view"),
            *("dcor_depot", "dcor_schemas", "dc_serve", "dc_view", "dc_log_view", "dcor_theme"),
        ),
        views=("image_view", "text_view", "dc_view", "dc_log_view"),
        storage="/data/ckan",
        folder_mode=0o755,  # `dcor inspect` would open them
    ),
}
