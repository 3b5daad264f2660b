"""Facts about the PostgreSQL clusters of a host: what each one is, whatever its address."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

CONFIGURATION = "/etc/postgresql"


def making_stamp(cluster: str) -> str:
    """Path of the file that is there while a run of ours makes CLUSTER ("15/main")."""
    return f"/var/lib/ckan-deploy/postgresql/making.{cluster.replace('/', '-')}"


# The system identifier is made by initdb and stays for the cluster's life. It is the first number in pg_control, which
# is there whether or not the server runs. A server that was ever started leaves postmaster.opts.
_SCRIPT = r"""
folder=$1 stamp=$2; export LC_ALL=C
for file in "$folder"/*/*/postgresql.conf; do
  [ -e "$file" ] || [ -L "$file" ] || continue
  cluster=${file#"$folder"/}; cluster=${cluster%/postgresql.conf}
  data=$(sed -n "s/^[[:space:]]*data_directory[[:space:]]*=\{0,1\}[[:space:]]*'\([^']*\)'.*/\1/p" "$file" | tail -n 1)
  system=$(od -An -t u8 -N 8 "$data/global/pg_control" 2>/dev/null | tr -d ' ')
  made=$(stat -c %Y "$data/PG_VERSION" 2>/dev/null)
  included=no
  grep -qs "^[[:space:]]*include_dir[[:space:]]*=\{0,1\}[[:space:]]*'\{0,1\}\(conf\.d\|${file%/*}/conf\.d\)'\{0,1\}" \
    "$file" && included=yes
  [ -d "${file%/*}/conf.d" ] || included=no
  if [ $included = yes ]; then set -- "$file" "${file%/*}"/conf.d/*.conf; else set -- "$file"; fi
  set -- "$@" "$data/postgresql.auto.conf"
  port=$(sed -n "s/^[[:space:]]*port[[:space:]]*=\{0,1\}[[:space:]]*'\{0,1\}\([0-9]*\).*/\1/p" "$@" 2>/dev/null |
    tail -n 1)
  pid=$(sed -n 1p "$data/postmaster.pid" 2>/dev/null); runs=no
  case $(cat "/proc/${pid:-none}/comm" 2>/dev/null) in postgres*) runs=yes ;; esac
  started=no; [ ! -e "$data/postmaster.opts" ] || started=yes
  printf '%s\t' "$cluster" "$data" "$system" "$made" "${port:-5432}" $runs $started; printf '%s\n' $included
done
if [ -e "$stamp" ]; then echo making; fi
"""


@dataclass(frozen=True)
class Cluster(Value):
    """A cluster: ``name`` as "15/main", its ``data`` folder, the ``port`` that its configuration has.

    ``system``: the system identifier, "" where the data is not there. ``made``: seconds since the epoch, 0 if unknown.
    ``started``: a server ran from it once. ``included``: it has a folder conf.d, which its configuration includes.
    """

    name: str
    data: str
    system: str
    made: int
    port: int
    runs: bool
    started: bool
    included: bool


@dataclass(frozen=True)
class ClustersState(Value):
    """All clusters that the distribution's tools know; ``making``: a run of ours began to make the asked-for one."""

    clusters: tuple[Cluster, ...] = ()
    making: bool = False

    def find(self, name: str) -> Cluster | None:
        """Return the cluster of that name."""
        return next((cluster for cluster in self.clusters if cluster.name == name), None)


class Clusters(FactBase[ClustersState]):
    """The clusters of a host, from their configuration and data; none of them need run.

    + cluster: the one ("15/main") of which it is asked whether a run of ours was making it
    """

    @override
    def command(self, cluster: str) -> StringCommand:
        """Build the one command of this fact."""
        arguments = map(QuoteString, (CONFIGURATION, making_stamp(cluster)))
        return StringCommand("sh -c", QuoteString(_SCRIPT), "ckan-deploy", *arguments)

    @staticmethod
    @override
    def default() -> ClustersState:
        """There is no PostgreSQL."""
        return ClustersState()

    @override
    def process(self, output: list[str]) -> ClustersState:
        """Parse a line for each cluster; raises ``FactProcessError`` with the output shown."""
        try:
            found = [_cluster(*line.split("\t")) for line in output if line != "making"]
        except (TypeError, ValueError):
            raise FactProcessError(f"which PostgreSQL clusters there are is not understood: {output!r}") from None
        return ClustersState(tuple(found), "making" in output)


def _cluster(
    name: str, data: str, system: str, made: str, port: str, runs: str, started: str, included: str
) -> Cluster:
    words = (runs == "yes", started == "yes", included == "yes")
    return Cluster(name, data, system, int(made or 0), int(port), *words)
