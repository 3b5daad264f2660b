"""Which files a run's inventory and group data are, and where in them something stands."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from settings.origin import INVENTORY, Origin
from settings.trees import UNKNOWN, DataFile


@dataclass(frozen=True)
class DataFiles:
    """The data files of one run.

    + inventory: path of the inventory; None where it is no file (a list of hosts, pyinfra's API)
    + folders: where group data is, the strongest last: folders, or single files
    + given: the inventory as the command line has it, for commands to type; empty where there is none
    """

    inventory: Path | None = None
    folders: tuple[Path, ...] = ()
    given: str = ""
    _trees: dict[Path, DataFile | None] = field(default_factory=dict, compare=False, repr=False)

    @property
    def environment(self) -> str:
        """Name of the environment: the inventory's own; pyinfra makes it a group of all hosts."""
        return self.inventory.stem if self.inventory else ""

    def files(self) -> list[Path]:
        """Return the inventory and all files of group data that there are."""
        found = [self.inventory] if self.inventory else []
        for folder in self.folders:
            found += sorted(folder.glob("*.py")) if folder.is_dir() else [folder]
        return [file for file in found if file.is_file()]

    def of_group_data(self, group: str, name: str, value: Any) -> Origin:
        """Where NAME got VALUE in the data of GROUP."""
        files = [file for file in self.files() if file.stem == group and file != self.inventory]
        for file in reversed(files):
            tree = self._tree(file)
            if tree is not None and tree.binds(name):
                return origin_in(file, tree.line(name, value))
        tree = self._tree(self.inventory)
        line = tree.group_data_line(group, name, value) if tree else None
        if line is None and len(files) == 1:  # bound in a way that no tree shows
            return origin_in(files[0], None)
        return self._in_inventory(line)

    def of_host_data(self, host: str, name: str, value: Any) -> Origin:
        """Where NAME got VALUE for HOST in the inventory."""
        tree = self._tree(self.inventory)
        return self._in_inventory(tree.host_data_line(host, name, value) if tree else None)

    def of_host(self, host: str) -> Origin:
        """Where HOST stands in the inventory."""
        tree = self._tree(self.inventory)
        return self._in_inventory(tree.host_line(host) if tree else None)

    def of_group(self, group: str) -> Origin:
        """Where GROUP stands in the inventory."""
        tree = self._tree(self.inventory)
        return self._in_inventory(tree.line(group, UNKNOWN) if tree else None)

    def _in_inventory(self, line: int | None) -> Origin:
        return origin_in(self.inventory, line) if self.inventory else INVENTORY

    def _tree(self, file: Path | None) -> DataFile | None:
        if file is None:
            return None
        if file not in self._trees:
            try:
                self._trees[file] = DataFile(file)
            except (OSError, SyntaxError, ValueError):  # whoever executes it says so
                self._trees[file] = None
        return self._trees[file]


def files_of(inventory: str, more: tuple[str, ...] = ()) -> DataFiles:
    """Return the files of INVENTORY in the working directory, as pyinfra finds them.

    + more: what ``--group-data`` names
    """
    path = Path(inventory)
    if not path.is_file():
        return DataFiles(None, (Path("group_data"), *map(Path, more)), inventory)
    beside = path.parent / "group_data"
    folders = [Path("group_data")]
    if beside.resolve() != folders[0].resolve():
        folders.append(beside)
    return DataFiles(path, (*folders, *map(Path, more)), inventory)


def files_of_run() -> DataFiles:
    """Return the files of pyinfra's command line; none where there is none, as through its API.

    pyinfra loads deploy.py once for each host, in greenlets of their own, which know of no command line: what was
    found before, when config.py was loaded, is the same.
    """
    context = click.get_current_context(silent=True)
    if context is not None and "inventory" in context.params:
        _OF_RUN[:] = [files_of(str(context.params["inventory"]), tuple(context.params.get("group_data") or ()))]
    return _OF_RUN[0] if _OF_RUN else DataFiles()


_OF_RUN: list[DataFiles] = []


def origin_in(file: Path, line: int | None) -> Origin:
    """Name FILE as one would from the working directory."""
    absolute, here = os.path.abspath(file), os.getcwd()  # noqa: PTH100, PTH109 (links stay as they were written)
    below = absolute.startswith(here.rstrip("/") + "/")
    return Origin("file", os.path.relpath(absolute, here) if below else absolute, line)
