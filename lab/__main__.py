"""The lab's command line: `python -m lab COMMAND`; see docs/lab.md."""

import argparse
import dataclasses
import json
import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

from lab import cleanup, deb_build, host, inside, layers, mirror, paths, requirements, snapshot, sources, state
from lab.errors import LabError
from lab.solr_build import SOLR_VERSION

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LabError(f"{message} (python -m lab --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m lab", description="Throwaway hosts with a real systemd and a real sshd.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        return sub

    sub = command("up", _up, "create hosts, or start stopped ones")
    sub.add_argument("names", nargs="+", metavar="NAME")
    sub.add_argument("--release", help=f"{', '.join(sources.RELEASES)} (default: noble where Ubuntu's archive is)")
    sub.add_argument("--from", dest="snapshot", metavar="SNAPSHOT", help="begin with the files of a snapshot")
    sub.add_argument("--memory", default="0", help="limit, e.g. 2G (default: none)")
    sub = command("down", _down, "remove hosts and all they left (default: all hosts)")
    sub.add_argument("names", nargs="*", metavar="NAME")
    sub.add_argument("--all", action="store_true", help="every host of this lab")
    sub.add_argument("--snapshots", action="store_true", help="every snapshot too (with --all)")
    sub = command("list", _list, "show hosts and snapshots")
    sub.add_argument("--json", action="store_true")
    sub = command("ssh", _ssh, "log in as deploy, or run a command as deploy")
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS")
    sub = command("run", _run, "run a command as root, without the network")
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("arguments", nargs=argparse.REMAINDER, metavar="-- CMD")
    for name, function, text in (
        ("kill", host.kill, "cut the power"),
        ("start", host.start, "start stopped hosts"),
        ("poweroff", host.poweroff, "shut hosts down"),
        ("reboot", host.reboot, "reboot hosts from within"),
    ):
        command(name, _each(function), text).add_argument("names", nargs="+", metavar="NAME")
    sub = command("snapshot", _snapshot, "keep a host's files under a name")
    sub.add_argument("name", metavar="NAME", nargs="?")
    sub.add_argument("snapshot", metavar="SNAPSHOT", nargs="?")
    sub.add_argument("--stopped", action="store_true", help="leave the host stopped")
    sub.add_argument("--delete", metavar="SNAPSHOT", help="delete a snapshot that nothing stands on")
    sub = command("prepare", _prepare, "build side by side what hosts need: the base system, Solr, MinIO")
    sub.add_argument("--release", help="as for up")
    sub = command("mirror", _mirror, "the hosts' download site: its address, or build what it serves")
    sub.add_argument("what", choices=["url", "solr", "deb", "git", "minio"])
    sub.add_argument("--version", default=SOLR_VERSION, help="of Solr")
    sub.add_argument("--release", help="of CKAN's package (default: as for hosts)")
    return parser


def _parallel(function: Callable[[str], object], names: list[str]) -> int:
    """Do something for several hosts at once; print every error; return the exit status."""
    failed = False
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        for future in [pool.submit(function, name) for name in dict.fromkeys(names)]:
            try:
                future.result()
            except LabError as error:
                failed = True
                print(f"lab: {error}", file=sys.stderr)
    return int(failed)


def _each(function: Callable[[str], object]) -> Callable[[argparse.Namespace], int]:
    def do(args: argparse.Namespace) -> int:
        requirements.check()
        return _parallel(function, args.names)

    return do


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+)([KMG]?)i?B?", text.upper())
    if not match:
        raise LabError(f"{text!r} is no amount of memory: write 512M or 2G")
    return int(match[1]) * UNITS[match[2]]


def _up(args: argparse.Namespace) -> int:
    memory = _bytes(args.memory)
    for name in args.names:
        state.check_name(name)
    release = _release(args)
    requirements.check()
    if args.snapshot and args.release not in (None, layers.load(args.snapshot).release):
        raise LabError(f"snapshot {args.snapshot} is {layers.load(args.snapshot).release}, not {args.release}")
    for name in args.names:
        host.create(name, release=release, snapshot=args.snapshot, memory=memory)
    return _parallel(host.start, args.names)


def _prepare(args: argparse.Namespace) -> int:
    requirements.check()
    from lab import artefacts  # slow to load and of no use to the other commands

    artefacts.ensure([_release(args)])
    return 0


def _release(args: argparse.Namespace) -> str:
    """The release that is asked for; raises LabError when it is none of the lab's."""
    if args.release and args.release not in sources.RELEASES:
        raise LabError(f"unknown release {args.release!r}: choose one of {', '.join(sources.RELEASES)}")
    return str(args.release or sources.default_release())


def _down(args: argparse.Namespace) -> int:
    requirements.check()
    everything = args.all or not args.names
    state.create()
    names = args.names or sorted(folder.name for folder in (paths.state() / "hosts").iterdir())

    def down(name: str) -> None:
        print(f"{name}: {'removed' if host.down(name) else 'there is no such host'}", flush=True)

    status = _parallel(down, names)
    if everything and status == 0:
        cleanup.strays()
        if args.snapshots:
            snapshot.delete_all()
    return status


def _list(args: argparse.Namespace) -> int:
    hosts, snapshots = state.hosts(), layers.all_snapshots()
    if args.json:
        print(
            json.dumps(
                {
                    "hosts": [dataclasses.asdict(h) for h in hosts],
                    "snapshots": [dataclasses.asdict(s) for s in snapshots],
                },
                default=str,
                indent=1,
            )
        )
        return 0
    for item in hosts:
        print(f"{item.name:20} {item.release:10} {item.address:16} {'running' if item.running else 'stopped'}")
    for kept in snapshots:
        print(f"{kept.name:20} {kept.release:10} {kept.address:16} snapshot of {kept.origin}")
    return 0


def _words(args: argparse.Namespace) -> list[str]:
    words: list[str] = args.arguments
    return words[1:] if words[:1] == ["--"] else words


def _ssh(args: argparse.Namespace) -> int:
    argv = inside.ssh_argv(state.host(args.name), _words(args))
    os.execvp(argv[0], argv)


def _run(args: argparse.Namespace) -> int:
    command = _words(args)
    if not command:
        raise LabError("a command is missing: python -m lab run NAME -- CMD")
    requirements.root()
    argv = inside.run_argv(args.name, command)
    os.execvp(argv[0], argv)


def _snapshot(args: argparse.Namespace) -> int:
    requirements.check()
    if args.delete:
        snapshot.delete(args.delete)
    elif args.name and args.snapshot:
        snapshot.take(args.name, args.snapshot, restart=not args.stopped)
    else:
        raise LabError("a name is missing: python -m lab snapshot NAME SNAPSHOT")
    return 0


def _mirror(args: argparse.Namespace) -> int:
    if args.what == "url":
        print(mirror.url())
        return 0
    if args.what == "deb":
        requirements.check()
        print(deb_build.ensure_deb(args.release or sources.default_release()))
        return 0
    from lab import git_mirror, minio_build, mirror_solr  # slow to build and of no use to the other commands

    if args.what == "git":
        git_mirror.ensure_git(mirror.folder())
    elif args.what == "minio":
        minio_build.ensure_minio()
    else:
        mirror_solr.ensure_solr(args.version, mirror.folder())
    return 0


def main() -> int:
    """Run one command; errors are one sentence and exit status 1."""
    try:
        args = _parser().parse_args()
        function: Callable[[argparse.Namespace], int] = args.function
        return function(args)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
    except PermissionError as error:
        print(f"lab: {error.filename} may not be read: the lab must run as root", file=sys.stderr)
    except KeyboardInterrupt:
        print("lab: interrupted; `python -m lab down` removes what is there", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
