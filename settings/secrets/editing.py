"""Changing all secrets of an environment at once, in an editor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from settings.secret import Secret
from settings.secrets import editor, terminal
from settings.secrets.errors import SecretsError
from settings.secrets.file import Contents
from settings.secrets.form import wrong
from settings.secrets.sealed import Place
from settings.secrets.site import Site
from settings.store import shown


def edit(site: Site) -> Iterator[str]:
    """Have the operator edit the secrets of SITE, and keep what was changed; yields what was done.

    Raises ``SecretsError``: then nothing was changed.
    """
    vault = site.vault
    vault.ready()  # else it fails before anything is shown
    before = vault.contents()
    old = {place: vault.open(place, before) for place in before.sealed}
    new = _edited(site, old)
    changed = {place: value for place, value in new.items() if place not in old or not _same(value, old[place])}
    gone = sorted(set(old) - set(new))

    def decide(now: Contents) -> Mapping[Place, Secret]:
        for place in (*changed, *gone):
            if now.sealed.get(place) != before.sealed.get(place):
                raise SecretsError(f"{place} was changed by somebody else meanwhile; nothing of yours was kept")
        return changed

    vault.change(decide, gone)
    for place in sorted(changed):
        yield f"{'Replaced' if place in old else 'Added'} {place} in {shown(vault.path)}."
    for place in gone:
        yield f"Removed {place} from {shown(vault.path)}."
    if not changed and not gone:
        yield "Nothing was changed."


def _edited(site: Site, old: Mapping[Place, Secret]) -> dict[Place, Secret]:
    with editor.private_file(editor.text_of(site.vault.environment, old)) as path:
        while True:
            try:
                return editor.parse(editor.run(path), partial(_wrong, site, old))
            except SecretsError as error:
                if not terminal.there():
                    raise SecretsError(f"{error}; nothing was changed") from None
                terminal.say(f"{error}.")
                if not terminal.agreed("Edit again?"):
                    raise SecretsError("nothing was changed") from None


def _wrong(site: Site, old: Mapping[Place, Secret], place: Place, value: Secret) -> str:
    """Say what is wrong with VALUE in PLACE; what was there before is left alone. Raises for a mistyped place."""
    site.place(place.name, place.host or None, known=old)
    return "" if place in old and _same(value, old[place]) else wrong(place.name, value)


def _same(one: Secret, other: Secret) -> bool:
    return one.unmask() == other.unmask()
