"""Facts about what is around a portal: the host's addresses, names, ports, disks."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# With what every Debian has, since it is asked before anything was installed. Each argument is KIND=VALUE; each line of
# the answer begins with a word that says what it is. A name server that is not there would be waited for much longer.
_SCRIPT = r"""
export LC_ALL=C; ports=
for asked in "$@"; do
  value=${asked#*=}
  case $asked in
    name=*) printf 'name\t%s\t%s\n' "$value" "$(timeout 5 getent ahosts "$value" | awk '{ print $1; exit }')" & ;;
    mount=*) mountpoint -q -- "$value" || printf 'unmounted\t%s\n' "$value" ;;
    port=*) ports="$ports $value" ;;
    *)
      used=0; [ "${asked%%=*}" = space ] || used=$(du -skx -- "$value" 2>/dev/null | cut -f1); path=$value
      while [ ! -d "$path" ]; do path=$(dirname -- "$path"); done
      printf 'space\t%s\t%s\t%s\t%s\n' "$value" "$(stat -c %d -- "$path")" \
        "$(df -Pk -- "$path" | tail -n 1 | tr -s ' ' | cut -d' ' -f4)" "${used:-0}" ;;
  esac
done
awk '/\|-- / { at = $2 } /host LOCAL/ { print "address\t" at }' /proc/net/fib_trie 2>/dev/null
awk '{ print "address\t" $1 }' /proc/net/if_inet6 2>/dev/null
[ -z "$ports" ] || listening=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v ports="$ports" '
  BEGIN { for (count = split(ports, list, " "); count; count--) wanted[sprintf("%04X", list[count])] }
  $4 == "0A" { split($2, at, ":"); if (at[2] in wanted) print at[1] "\t" at[2] "\t" $10 }')
if [ -n "$listening" ]; then
  printf '%s\n' "$listening" | sed 's/^/listen\t/'
  set --
  for inode in $(printf '%s\n' "$listening" | cut -f3 | sort -u); do set -- "$@" -o -lname "socket:\\[$inode\\]"; done
  shift
  # The first of a server's processes, and not systemd, where it has handed the socket over.
  find /proc/[0-9]*/fd -maxdepth 1 \( "$@" \) -printf '%l\t%p\n' 2>/dev/null | tr -c '0-9\n' '\t' | tr -s '\t' |
    awk -F'\t' '!($2 in first) || first[$2] == 1 || ($3 != 1 && $3 < first[$2]) { first[$2] = $3 + 0 }
      END { for (inode in first) print inode, first[inode] }' |
    while read -r inode pid; do
      printf 'process\t%s\t%s\t%s\t%s\t%s\n' "$inode" "$pid" "$(tr -c '\40-\176\n' '?' < "/proc/$pid/comm")" \
        "$(readlink "/proc/$pid/exe" | tr -c '\40-\176\n' '?')" "$(cut -d: -f3- "/proc/$pid/cgroup" | sort | tail -n 1)"
    done
fi
wait
"""


@dataclass(frozen=True)
class Listener(Value):
    """A process that listens on a port: its address, and who it is.

    + address: "0.0.0.0" or "::" for all
    + pid: 0 where it cannot be seen, as one of another container; then the rest is empty
    + program: its name
    + executable: path of what it runs
    + unit: systemd's, or what else its control group is named after
    """

    port: int
    address: str
    pid: int = 0
    program: str = ""
    executable: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Space(Value):
    """A folder's file system, by its device's number, and KiB: free there, and taken by what is in the folder."""

    file_system: str
    free: int
    used: int = 0


@dataclass(frozen=True)
class SurroundingsState(Value):
    """What was asked for.

    + addresses: that the host has; empty where that cannot be told
    + names: the address that each name leads to; empty where it leads nowhere
    + unmounted: paths that are no mount points
    + listeners: who listens on the ports
    + space: by path
    """

    addresses: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    unmounted: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    space: dict[str, Space] = field(default_factory=dict)

    def owns(self, address: str) -> bool:
        """Whether ADDRESS is one of the host's own, or it cannot be told."""
        return not self.addresses or str(ipaddress.ip_address(address)) in self.addresses


class Surroundings(FactBase[SurroundingsState]):
    """What preflight must know of a host beyond its system, in one command.

    + names: host names to look up there, each for five seconds at most
    + ports: TCP ports
    + mounts: absolute paths that should be mount points
    + folders: absolute paths; where one does not exist yet, the folder above it counts
    + weighed: of the folders, those of which is asked, too, how much is in them
    """

    @override
    def command(
        self,
        names: tuple[str, ...] = (),
        ports: tuple[int, ...] = (),
        mounts: tuple[str, ...] = (),
        folders: tuple[str, ...] = (),
        weighed: tuple[str, ...] = (),
    ) -> StringCommand:
        """Build the one command of this fact."""
        asked = [
            *(f"name={name}" for name in names),
            *(f"mount={path}" for path in mounts),
            *(f"{'weight' if path in weighed else 'space'}={path}" for path in folders),
            *(f"port={port}" for port in ports),
        ]
        return StringCommand("sh -c", QuoteString(_SCRIPT), "ckan-deploy", *map(QuoteString, asked))

    @staticmethod
    @override
    def default() -> SurroundingsState:
        """Nothing can be told."""
        return SurroundingsState()

    @override
    def process(self, output: list[str]) -> SurroundingsState:
        """Parse the lines; raises ``FactProcessError`` with the output shown."""
        try:
            return _parse([line.split("\t") for line in output])
        except (IndexError, ValueError, TypeError):
            raise FactProcessError(f"what is around the portal is not understood: {output!r}") from None


def _parse(lines: list[list[str]]) -> SurroundingsState:
    found: dict[str, list[list[str]]] = {}
    for word, *values in lines:
        found.setdefault(word, []).append(values)
    processes = {inode: rest for inode, *rest in found.get("process", [])}
    return SurroundingsState(
        addresses=tuple(sorted({_address(value) for (value,) in found.get("address", [])})),
        names={name: address for name, address in found.get("name", [])},
        unmounted=tuple(path for (path,) in found.get("unmounted", [])),
        listeners=tuple(_listeners(found.get("listen", []), processes)),
        space={path: Space(device, int(free), int(used)) for path, device, free, used in found.get("space", [])},
    )


def _listeners(listening: list[list[str]], processes: dict[str, list[str]]) -> Iterator[Listener]:
    for address, port, inode in listening:
        pid, program, executable, group = processes.get(inode, ["0", "", "", ""])
        named = re.findall(r"[^/]+\.(?:service|scope|socket)", group)
        unit = named[-1] if named else group.rpartition("/")[2]
        yield Listener(int(port, 16), _of_kernel(address), int(pid), program, executable, unit)


def _address(value: str) -> str:
    """Return an address as Python writes it; IPv6 ones come from the kernel as 32 digits."""
    return str(ipaddress.ip_address(value if "." in value else bytes.fromhex(value)))


def _of_kernel(value: str) -> str:
    """Return the address of a socket, which the kernel prints as words of the machine's own byte order."""
    words = (bytes.fromhex(value[place : place + 8])[::-1] for place in range(0, len(value), 8))
    return str(ipaddress.ip_address(b"".join(words)))
