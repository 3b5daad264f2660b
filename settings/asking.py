"""A run at a terminal asks for the secrets that are missing; without a terminal it stops and lists them."""

from __future__ import annotations

import click

from settings.outline import Outline, Resolve
from settings.secrets import made, terminal
from settings.secrets.errors import SecretsError
from settings.secrets.form import spec_of, wrong
from settings.secrets.sealed import Place
from settings.store import SecretStore, shown


def ask(store: SecretStore, resolve: Resolve) -> None:
    """Ask the person at the terminal for what is missing in STORE, once all of it is known.

    What the person does not give stays missing. Without a terminal, with ``-y``, where the store makes its own, and
    where other settings are wrong, so that the run stops anyway, nothing is asked. Raises ``SecretsError`` when what
    is made cannot be kept; what was entered is used all the same.

    + resolve: resolves the settings with the store that it is given
    """
    if store.generate or not terminal.there() or _unasked():
        return
    outline = Outline.of(store, resolve)
    if outline.wrong_settings:
        return
    missing = outline.missing_places
    if _offer_to_make(store, [place for place in missing if spec_of(place.name).generated]):
        _enter(store, [place for place in missing if not spec_of(place.name).generated])


def _unasked() -> bool:
    """Whether pyinfra was told to ask nothing (``-y``)."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.params.get("yes"))


def _offer_to_make(store: SecretStore, places: list[Place]) -> bool:
    """Offer to make PLACES, which must be kept then, since nobody else knows them; return whether the run may go on."""
    if not places:
        return True
    names = ", ".join(map(str, places))
    question = f"{shown(store.vault.path)} lacks what may be made by chance: {names}. Make and keep it now?"
    if not terminal.agreed(question):
        return False
    made.fill(store.vault, places)
    store.again()
    return True


def _enter(store: SecretStore, places: list[Place]) -> None:
    """Ask for PLACES, whose values other systems gave.

    No prompt takes several lines: a secret that has them stays missing, which is said with its command.
    """
    places = [place for place in places if not spec_of(place.name).multiline]
    if places:
        terminal.say(f"{shown(store.vault.path)} lacks what only a person can give; Enter alone stops the run.")
    for place in places:
        value = terminal.hidden(f"{place} ({spec_of(place.name).description})")
        if not value.unmask():
            return
        if problem := wrong(place.name, value):
            terminal.say(f"The value of {place} cannot be used: {problem}.")
        elif value.unmask() != terminal.hidden("The same again").unmask():
            terminal.say("The two values differ.")
        else:
            store.given[place] = value
    if not store.given:
        return
    try:
        store.vault.ready()  # else the question is in vain
        if terminal.agreed(f"Keep what you entered in {shown(store.vault.path)}, encrypted?"):
            store.vault.set(store.given)
            store.again()
    except SecretsError as error:
        terminal.say(f"What you entered is used for this run, but not kept: {error}.")
