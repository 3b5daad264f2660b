"""The commands of ``python -m settings.secrets``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click
from pyinfra.api.exceptions import PyinfraError

from settings.invocation import program
from settings.secret import Secret
from settings.secrets import editing, members, recipients, terminal
from settings.secrets.errors import SecretsError
from settings.secrets.form import spec_of, taken, wrong
from settings.secrets.made import fill, random
from settings.secrets.sealed import Place
from settings.secrets.site import Site
from settings.store import shown, variable

F = TypeVar("F", bound=Callable[..., Any])


class Commands(click.Group):
    """Commands whose errors are sentences."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit with status 1 and the sentence when it cannot do its work."""
        try:
            return super().invoke(ctx)
        except PyinfraError as error:
            raise click.ClickException(str(error)) from None


def _inventory(function: F) -> F:
    return click.argument("inventory")(function)


def _host(function: F) -> F:
    return click.option("--host", metavar="HOST", help="The secret of this host alone.")(function)


def _identity(function: F) -> F:
    help = "Private key, of SSH or age; by default CKAN_DEPLOY_IDENTITY, ~/.ssh/id_ed25519, …"
    return click.option("--identity", metavar="FILE", help=help)(function)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Keep the secrets of an inventory, encrypted, in inventory/secrets/. docs/secrets.md tells the whole way."""


@cli.command("set")
@_inventory
@click.argument("name")
@click.argument("value", nargs=-1, metavar="")
@_host
def set_(inventory: str, name: str, value: tuple[str, ...], host: str | None) -> None:
    """Give the secret NAME a value, which is asked for, or read from standard input."""
    if value:
        raise SecretsError(
            "a value does not belong on the command line, where other users and the shell's history see it: it is "
            "asked for, or read from standard input; nothing was changed, and what you just gave is no secret any more"
        )
    site = Site.of(inventory)
    place = site.place(name, host)
    there = place in site.vault.contents().sealed
    site.vault.ready()  # else it fails before anything is asked
    site.vault.set({place: _given(site, "set", place)})
    terminal.say(f"{'Replaced' if there else 'Added'} {place} in {shown(site.vault.path)}.")


@cli.command()
@_inventory
@click.argument("name")
@_host
@_identity
def get(inventory: str, name: str, host: str | None, identity: str | None) -> None:
    """Print the secret NAME."""
    site = Site.of(inventory, identity)
    wanted = site.place(name, host, known=site.vault.contents().sealed)
    click.echo(site.vault.open(site.store.place(wanted.name, wanted.host)).unmask())


@cli.command()
@_inventory
@_identity
def edit(inventory: str, identity: str | None) -> None:
    """Change all secrets in your editor."""
    site = Site.of(inventory, identity)
    for line in editing.edit(site):
        terminal.say(line)


@cli.command()
@_inventory
def generate(inventory: str) -> None:
    """Make the secrets that are needed, missing, and may be made by chance; say which a person must give."""
    site = Site.of(inventory)
    outline = site.outline()
    missing = outline.missing_places
    made = fill(site.vault, [place for place in missing if spec_of(place.name).generated])
    if made:
        terminal.say(f"Made, in {shown(site.vault.path)}: {', '.join(map(str, made))}.")
    for place in missing:
        if not spec_of(place.name).generated:
            terminal.say(f"To be given by a person: {site.store.missing(place)}.")
    if not missing:
        terminal.say("No secret is missing.")
    _complain(outline.wrong_settings, inventory)


@cli.command("list")
@_inventory
def list_(inventory: str) -> None:
    """Show which secrets are there, missing, or needed by nothing; opens none."""
    site = Site.of(inventory)
    outline = site.outline()
    sealed = site.vault.contents().sealed
    rows = []
    for place in sorted({*outline.wanted, *sealed}):
        if place not in outline.wanted:
            state = "there, but nothing needs it"
        elif place in outline.missing_places:
            state = site.store.missing(place).partition(" is ")[2]
        else:
            origin = site.store.origin(place.name, place.host)
            state = "there" if origin.startswith(str(shown(site.vault.path))) else origin
        rows.append((place.name, place.host or "all hosts", state))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)] if rows else [0, 0]
    for name, host, state in rows:
        click.echo(f"{name:{widths[0]}}  {host:{widths[1]}}  {state}")
    if not site.vault.in_step():
        terminal.say(f"Recipients were changed since: {site.vault.command('recipients sync')} encrypts all for them.")
    _complain(outline.wrong_settings, inventory)


@cli.command()
@_inventory
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@_host
def rotate(inventory: str, names: tuple[str, ...], host: str | None) -> None:
    """Replace secrets by new ones, made by chance or asked for; say what the next run does with each."""
    site = Site.of(inventory)
    sealed = site.vault.contents().sealed
    site.vault.ready()  # else it fails before anything is asked
    values = {}
    for name in names:
        wanted = site.place(name, host, known=sealed)
        places = [place for place in sealed if place.name == name and (not host or place.host == host)]
        if not places:
            raise SecretsError(f"there is no {wanted} to rotate yet in {shown(site.vault.path)}; nothing was changed")
        for place in sorted(places):
            spec = spec_of(place.name)
            values[place] = random(spec) if spec.generated else _given(site, "rotate", place, ", the new one")
    site.vault.set(values)
    for place in values:
        if os.environ.get(variable(place.name)):
            terminal.say(f"Your environment has {variable(place.name)}: runs that see it take that one instead.")
        terminal.say(f"Replaced {place} in {shown(site.vault.path)}. {spec_of(place.name).rotation}")
    run = f"{program('pyinfra')} {shlex.quote(inventory)} deploy.py"
    terminal.say(f"Look at it with `{run} --dry --diff`; without --dry it is done.")


@cli.command("recipients")
@_inventory
@click.argument("action", type=click.Choice(["list", "add", "remove", "sync"]))
@click.argument("key", nargs=-1)
@_identity
def recipients_(inventory: str, action: str, key: tuple[str, ...], identity: str | None) -> None:
    """Show who can open the secrets, add or remove somebody, or encrypt all for those in the file (sync).

    KEY is a file (~/.ssh/id_ed25519.pub) or a line "ssh-ed25519 AAAA… alice"; to remove, a comment will do.
    """
    site = Site.of(inventory, identity)
    path = shown(site.vault.recipients_path)
    if bool(key) != (action in ("add", "remove")):
        raise click.UsageError(f"`recipients {inventory} {action}` takes {'no key' if key else 'a key'}")
    if action == "list":
        for recipient in recipients.read(site.vault.recipients_path):
            click.echo(recipient.line)
        return
    words = " ".join(key)
    if action == "sync":
        done = members.sync(site.vault)
    else:
        recipient, done = (members.add if action == "add" else members.remove)(site.vault, words)
        terminal.say(f"{'Added' if action == 'add' else 'Removed'} {recipient.comment}: {path}.")
    for environment, count in done.items():
        terminal.say(f"Encrypted anew for those in {path}: {count} secrets of {environment}.")
    if action == "remove" and done:
        terminal.say(
            f"{recipient.comment} may still know the old values, and git's history opens with that key: rotate what "
            f"matters ({site.vault.command('rotate NAME')}), and run the deploy."
        )


def _given(site: Site, verb: str, place: Place, which: str = "") -> Secret:
    """Return a value for PLACE: asked for, or read from standard input, as one of several lines always is."""
    if spec_of(place.name).multiline and terminal.there():
        command = site.vault.command(f"{verb} {place.name}{place.host and f' --host {place.host}'}", "FILE")
        raise SecretsError(f"{place} has several lines, which a prompt does not take: {command}; nothing was changed")
    return terminal.value(f"{place}{which}", partial(taken, place.name), partial(wrong, place.name))


def _complain(problems: list[str], inventory: str) -> None:
    if problems:
        terminal.say(f"The settings of {inventory} have errors, so that more secrets may be needed:")
        for problem in problems:
            terminal.say(f"  {problem}")
