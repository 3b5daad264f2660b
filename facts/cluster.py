"""Facts about the PostgreSQL clusters of a host: what each one is, whatever its address."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.postgresql import SYSTEM, stamp_path
from facts.value import Value

CONFIGURATION = "/etc/postgresql"


def making_stamp(cluster: str) -> str:
    """Path of the file that is there while a run of ours makes CLUSTER ("15/main")."""
    return f"/var/lib/ckan-deploy/postgresql/making.{cluster.replace('/', '-')}"


# A server that was ever started leaves postmaster.opts.
_SCRIPT = (
    SYSTEM
    + r"""
folder=$1 stamp=$2; export LC_ALL=C
for file in "$folder"/*/*/postgresql.conf; do
  [ -e "$file" ] || [ -L "$file" ] || continue
  cluster=${file#"$folder"/}; cluster=${cluster%/postgresql.conf}
  data=$(sed -n "s/^[[:space:]]*data_directory[[:space:]]*=\{0,1\}[[:space:]]*'\([^']*\)'.*/\1/p" "$file" | tail -n 1)
  system=$(system_of "$data")
  made=$(find "$data/PG_VERSION" ! -newermt now -printf '%Ts' 2>/dev/null)  # a time in the future tells nothing
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
)


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


@dataclass(frozen=True)
class Record(Value):
    """The cluster in which a run of ours set a database up; ``system`` is "" where an earlier ckan-deploy noted none.

    ``noted``: seconds since the epoch.
    """

    data: str
    system: str
    noted: int

    def is_of(self, cluster: Cluster) -> bool:
        """Whether CLUSTER is that one, whatever its name, folder and port are now."""
        if self.system:
            return cluster.system == self.system
        return cluster.data == self.data and cluster.made <= self.noted


_RECORD = r"""
if [ "$(LC_ALL=C stat -c '%a %u %F' "$1" 2>/dev/null)" = "644 $(id -u) regular file" ]; then
  printf '%s\t%s\t%s\n' "$(sed -n 1p "$1")" "$(sed -n 2p "$1" | grep -x '[0-9]*')" "$(stat -c %Y "$1")"
fi
"""


class Recorded(FactBase[Record | None]):
    """In which cluster a run of ours set up a database; None where no run has noted it.

    + database: its name
    """

    @override
    def command(self, database: str) -> StringCommand:
        """Build the one command of this fact."""
        path = stamp_path("database", database)
        return StringCommand("sh -c", QuoteString(_RECORD), "ckan-deploy", QuoteString(path))

    @staticmethod
    @override
    def default() -> Record | None:
        """No run has been here."""
        return None

    @override
    def process(self, output: list[str]) -> Record | None:
        """Parse the line; raises ``FactProcessError`` with the output shown."""
        try:
            data, system, noted = output[0].split("\t")
            return Record(data, system, int(noted)) if data.startswith("/") else None
        except ValueError:
            raise FactProcessError(f"the note of PostgreSQL's cluster is not understood: {output!r}") from None


# As the superuser over the socket. A database that does not exist holds nothing.
_HELD = r"""
answer=$(cd / && PGCONNECT_TIMEOUT=10 runuser -u postgres -- \
  psql -XAtqw -v ON_ERROR_STOP=1 -h /var/run/postgresql -p "$1" -d "$2" 2>&1 <<'END'
SELECT to_regclass('public.package') IS NOT NULL AND to_regclass('public.user') IS NOT NULL AS ckan \gset
\if :ckan
SELECT (SELECT count(*) FROM package) || ' ' || (SELECT count(*) FROM "user");
\else
SELECT '0 0';
\endif
END
) && { printf '%s\n' "$answer"; exit; }
case $answer in *'database "'*'does not exist'*) echo 0 0 ;; esac
"""


class Held(FactBase[tuple[int, int] | None]):
    """How many datasets and users of CKAN's a database of the server on this host holds; None where it does not answer.

    + database: its name
    + port: the server's
    """

    @override
    def command(self, database: str, port: int) -> StringCommand:
        """Build the one command of this fact."""
        arguments = map(QuoteString, (str(port), database))
        return StringCommand("sh -c", QuoteString(_HELD), "ckan-deploy", *arguments)

    @staticmethod
    @override
    def default() -> tuple[int, int] | None:
        """There is no PostgreSQL."""
        return None

    @override
    def process(self, output: list[str]) -> tuple[int, int] | None:
        """Parse the line; raises ``FactProcessError`` with the output shown."""
        try:
            datasets, users = map(int, output[-1].split())
        except ValueError:
            raise FactProcessError(f"what the database holds is not understood: {output!r}") from None
        return datasets, users
