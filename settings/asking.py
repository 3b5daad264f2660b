"""A run at a terminal asks for the secrets that are missing; without a terminal it stops and lists them."""

from __future__ import annotations

from settings.outline import Outline, Resolve
from settings.secrets import made, terminal
from settings.secrets.made import spec_of
from settings.secrets.sealed import Place, wrong_value
from settings.store import SecretStore, shown


def ask(store: SecretStore, resolve: Resolve) -> None:
    """Ask the person at the terminal for what is missing in STORE, once all of it is known.

    What the person does not give stays missing. Without a terminal, and where the store makes its own, nothing is
    asked. Raises ``SecretsError`` when what was given cannot be kept.

    + resolve: resolves the settings with the store that it is given
    """
    if store.generate or not terminal.there():
        return
    outline = Outline.of(store, resolve)
    _offer_to_make(store, [place for place in outline.missing_places if spec_of(place.name).generated])
    _enter(store, [place for place in outline.missing_places if not spec_of(place.name).generated])


def _offer_to_make(store: SecretStore, places: list[Place]) -> None:
    """Offer to make PLACES; they must be kept then, since nobody else knows them."""
    names = ", ".join(map(str, places))
    question = f"{shown(store.vault.path)} lacks what may be made by chance: {names}. Make and keep it now?"
    if places and terminal.agreed(question):
        made.fill(store.vault, places)
        store.again()


def _enter(store: SecretStore, places: list[Place]) -> None:
    """Ask for PLACES, whose values other systems gave."""
    if places:
        terminal.say(f"{shown(store.vault.path)} lacks what only a person can give; Enter alone stops the run.")
    for place in places:
        value = terminal.hidden(f"{place} ({spec_of(place.name).description})")
        if not (wrong := wrong_value(value.unmask())):
            store.given[place] = value
        elif value.unmask():
            terminal.say(f"The value of {place} cannot be used: {wrong}.")
    if store.given and terminal.agreed(f"Keep what you entered in {shown(store.vault.path)}, encrypted?"):
        store.vault.set(store.given)
        store.again()
