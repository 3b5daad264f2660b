"""The output of the plain ``pyinfra INVENTORY deploy.py``: what changes, how far it is, and in the end a verdict.

In place of pyinfra's tables of everything that there is. ``-v`` has pyinfra's own lines, ``--json`` its own JSON.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click
from pyinfra.api import Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_state
from pyinfra_cli import cli

from pyinfra_adapter import interrupt, plan, prompt, shown, told
from pyinfra_adapter.failure import MOST, Failure, next_step
from pyinfra_adapter.progress import Progress
from pyinfra_adapter.quiet import Quiet
from pyinfra_adapter.remark import Click
from pyinfra_adapter.shown import Lines
from pyinfra_adapter.watch import Watch

_ITS_OWN = ("No hosts remaining!", "Over ")  # how sentences of pyinfra begin that say no reason
_LOUD = ("verbosity", "debug", "debug_all", "debug_facts", "debug_operations")

planned: int | None = None  # changes in the plan that this process has printed


def install(program: str) -> None:
    """Have pyinfra's command line speak so, as far as its options ask for it. Nothing without a command line.

    + program: how people call pyinfra here

    Raises ``PyinfraError`` for ``--dry`` with ``-y``, of which pyinfra would make an empty plan.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return
    interrupt.install()
    given = context.params
    if not all(str(operation).endswith(".py") for operation in given.get("operations") or ("",)):
        return
    if given.get("dry") and given.get("yes"):
        raise PyinfraError(
            "--dry shows what would change, -y changes it without asking (so does the variable PYINFRA_YES): leave one "
            "of them out"
        )
    if not given.get("json_output") and not any(given.get(option) for option in _LOUD):
        Verdict(given, program).install()


class Verdict:
    """The output of one run of pyinfra's command line, whose options are GIVEN."""

    def __init__(self, given: Mapping[str, Any], program: str) -> None:
        self.given, self.program = given, program
        self.lines = Lines()
        self.began = time.monotonic()
        self.watch: Watch | None = None
        self.progress = Progress(self._where)
        self.wanted = os.environ.get("PYINFRA_PROGRESS") != "off"
        self.quiet = Quiet(self.progress.clear, self._failing)
        self._shown: dict[tuple[str, str], list[str]] = {}  # what the plan said of operations

    def install(self) -> None:
        """Take the place of pyinfra's own output."""
        os.environ["PYINFRA_PROGRESS"] = "off"  # pyinfra's own line
        self.quiet.install()
        cli.click = Click()
        self._run_ops, self._handle = cli.run_ops, cli._handle_commands
        cli.run_ops, cli._handle_commands = self.run, self.prepare
        cli.print_meta, cli.print_results, cli._do_confirm = self.plan, self.results, self.confirm

    def prepare(self, state: State, *arguments: Any, **options: Any) -> Any:
        """Prepare the operations, as pyinfra does."""
        if self.wanted:
            self.progress.start()
        try:
            return self._handle(state, *arguments, **options)
        except PyinfraError as error:
            self.progress.stop()
            if not str(error).startswith(_ITS_OWN):
                raise
            self._stopped("the plan" if not self.given["yes"] else "the preparation", state)
            raise SystemExit(1) from None
        finally:
            self.progress.stop()

    def plan(self, state: State) -> None:
        """Print what would change; end here when that is all, or nothing."""
        global planned
        planned = plan.show(state, self.lines, self.quiet.notes)
        if self.given["dry"] or not planned:
            raise SystemExit(1 if state.failed_hosts else 0)
        self._shown, self.quiet.notes = self.quiet.notes, {}

    def confirm(self, message: str) -> bool:
        """Ask whether to go on; Enter is yes."""
        self.progress.stop()
        if message.startswith("Detected"):
            self.lines.question("Press Enter to make it so, Ctrl-C to leave everything as it is: ")
        else:
            self.lines.question(f"{message} Press Enter to go on without them, Ctrl-C to stop: ")
        answer = prompt.typed()
        if answer != "\n":
            self.lines.problem("nothing more is changed" if self.watch else "nothing was changed")
        return answer == "\n"

    def run(self, state: State, serial: bool = False, no_wait: bool = False) -> None:
        """Run the operations, as pyinfra does; say why when that fails."""
        self.watch = Watch(state, self._done, grouped=not serial and not no_wait)
        state.add_callback_handler(self.watch)  # type: ignore[no-untyped-call]
        if self.wanted:
            self.progress.start()
        try:
            self._run_ops(state, serial=serial, no_wait=no_wait)
        except PyinfraError as error:
            self._end(state)
            self._failed(state, "" if str(error).startswith(_ITS_OWN) else str(error))
            raise SystemExit(1) from None
        except interrupt.Interrupted:
            self._end(state)
            for host, op_hash in self.watch.under_way():
                took = shown.seconds(self.watch.took(host, op_hash))
                self.lines.problem(f"interrupted: {shown.name_of(state, op_hash)} ({host.name}, {took})", fg="red")
            next_step(self.lines, f"{self._again()}  makes up for it; it waits for what goes on there")
            raise
        finally:
            self.progress.stop()

    def results(self, state: State) -> None:
        """Print the verdict of a run that came to its end."""
        self._end(state)
        if state.failed_hosts:
            self._failed(state, "")

    def _end(self, state: State) -> None:
        """Print what has not been printed yet, and what became of each host."""
        assert self.watch
        self.progress.stop()
        self.watch.flush()
        took = shown.seconds(time.monotonic() - self.began)
        for host in sorted(state.inventory.iter_activated_hosts(), key=lambda host: host.name):
            says = f"{self.watch.changed(host)} of {len(state.ops[host])} operations changed in {took}"
            self.lines.result(f"{host.name}: {'; '.join([says, *told.answered(host)])}", bold=True)

    def _failed(self, state: State, reason: str) -> None:
        """Say what failed, and what to do."""
        assert self.watch
        failed = self.watch.failed() or self.watch.under_way()
        for host, op_hash in failed:
            said = reason.splitlines() or self._why(host, op_hash)
            took = shown.seconds(self.watch.took(host, op_hash))
            Failure(shown.name_of(state, op_hash), host, said, took).show(self.lines)
        if not failed:
            Failure("the run", None, reason.splitlines()).show(self.lines)
        next_step(self.lines, f"{self._again()}  once that is mended; it goes on where this run stopped")

    def _why(self, host: Host, op_hash: str) -> list[str]:
        """Return what an operation complained of; what it said otherwise where it did not complain."""
        key = (host.name, op_hash)
        said = self.quiet.errors.get(key) or self.quiet.summaries.get(key, [])
        meta: Any = host.state.ops[host][op_hash].operation_meta
        plain = set(meta.stdout_lines) - set(meta.stderr_lines) if meta.is_complete() else set()
        return ([line for line in said if line not in plain] or said)[-MOST:]

    def _stopped(self, what: str, state: State) -> None:
        """Say which hosts stopped WHAT, before anything was changed."""
        for host in sorted(state.failed_hosts, key=lambda host: host.name):
            said = self._said(host)
            Failure(f"{what}, nothing was changed", host, said).show(self.lines)
        next_step(self.lines, f"{self._again()}  once that is mended")

    def _said(self, host: Host) -> list[str]:
        found: list[str] = []
        for kept in (self.quiet.errors, self.quiet.summaries):
            found += [line for (name, _), lines in kept.items() if name == host.name for line in lines]
        return found[-MOST:]

    def _again(self) -> str:
        return shown.command(self.program, self.given, *(["-y"] if self.given["yes"] else []))

    def _failing(self, host: Host, op_hash: str) -> None:
        """Say of which operation the errors are that follow."""
        self.progress.clear()
        self.lines.problem(f"    {shown.name_of(host.state, op_hash)} ({host.name}) fails:", fg="red")

    def _done(self, op_hash: str, took: Mapping[Host, float]) -> None:
        """Print the line of an operation that has changed something."""
        self.progress.clear()
        state = ctx_state.get()  # type: ignore[no-untyped-call]
        times = {host.name: shown.seconds(time) for host, time in sorted(took.items(), key=lambda one: one[0].name)}
        notes: dict[tuple[str, str], Sequence[str]] = {
            key: said for key, said in self.quiet.notes.items() if said != self._shown.get(key)
        }
        plan.operation(self.lines, shown.name_of(state, op_hash), times, op_hash, notes)

    def _where(self) -> str:
        """Say how far it is, in one line."""
        if self.watch:
            return self.watch.progress()
        state = ctx_state.get()  # type: ignore[no-untyped-call]
        if state is None or state.current_stage != StateStage.Prepare:
            return ""
        elapsed = shown.clock(time.monotonic() - self.began)
        hosts = len(state.inventory.get_active_hosts())
        return f"    looking at {shown.number(hosts, 'host')}: {len(state.op_meta)} operations, {elapsed}"
