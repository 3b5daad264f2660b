"""Keep PostgreSQL's cluster: its package makes one only where the host's locale exists, and not beside every other."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import OperationError, StringCommand, operation

from facts.cluster import CONFIGURATION, Clusters, making_stamp
from operations import foresight
from operations.files import script
from operations.within import ENTER

# A half that a killed run left goes: no server ever ran from it, so nobody's data is in it. pg_createcluster drops a
# folder with data when it cannot adopt it: it is never called for one.
_MAKE = (
    ENTER
    + r"""
set -e; umask 022; export LC_ALL=C.UTF-8
cluster=$1 port=$2 stamp=$3 conf=$4/$1; version=${1%/*} name=${1#*/}
data=$(pg_conftool -s /etc/postgresql-common/createcluster.conf show data_directory 2>/dev/null || :)
data=$(printf %s "${data:-/var/lib/postgresql/%v/%c}" | sed "s/%v/$version/g; s/%c/$name/g")
if [ -e "$stamp" ] && [ ! -e "$data/postmaster.opts" ]; then
  [ ! -d "$data" ] || (enter "$data"; find . -mindepth 1 -delete)
  [ ! -d "$4/$version" ] || (enter "$4/$version"; rm -rf -- "./$name")
fi
if [ -n "$(ls -A "$data" 2>/dev/null)" ]; then
  echo "$data holds files, but there is no $conf/postgresql.conf: put that back, or move $data away" >&2; exit 1
fi
mkdir -p "$(dirname "$stamp")"; : > "$stamp"
pg_createcluster --quiet --user postgres --port "$port" --locale C.UTF-8 --encoding UTF8 --start-conf auto \
  --pgoption add_include_dir=conf.d "$version" "$name" >&2
sync -f "$conf/postgresql.conf"; rm -f "$stamp"
"""
)
# Its folder is the account's who runs it.
_INCLUDE = (
    ENTER
    + r"""
set -e; umask 022
name=${1##*/}; folder=${1%/*}/conf.d; enter "${1%/*}"; owner=$(stat -c %u:%g .)
[ -d ./conf.d ] || mkdir ./conf.d
(into conf.d; chown "$owner" .)
stage .include.ckan-deploy
dd iflag=nofollow status=none if="../$name" of=file
grep -q "^[[:space:]]*include_dir[[:space:]=]*'\{0,1\}\($folder\|conf\.d\)'\{0,1\}" file || {
  printf "\ninclude_dir = 'conf.d'\n" >> file
  chown "$owner" file; chmod "$(stat -c %a "../$name")" file; sync file; mv -fT file "../$name"
}
cd -P ..; rm -rf ./.include.ckan-deploy
"""
)


@operation()
def made(cluster: str, port: int) -> Generator[StringCommand, None, None]:
    """Have a cluster, empty where there was none, whose configuration includes its folder conf.d.

    + cluster: its version and name, as "15/main"; the server is installed when the operation runs
    + port: that a new one gets

    A new one has the locale C.UTF-8 and the encoding UTF-8, whatever the host's. Raises ``OperationError`` in
    execution for a cluster whose data is not there: a disk may not be mounted.
    """
    state = host.get_fact(Clusters, cluster=cluster)
    current = state.find(cluster)
    folder = f"{CONFIGURATION}/{cluster}"
    if current is None or (state.making and not current.started):
        yield script(_MAKE, cluster, port, making_stamp(cluster), CONFIGURATION)
        return
    if not current.system and not foresight.preparing():
        raise OperationError(
            f"the data of PostgreSQL's cluster {cluster} is not in {current.data}, where its configuration has it: "
            f"is a disk not mounted? To begin with an empty cluster, move {folder} away"
        )
    if not current.included:
        foresight.will_touch(f"{folder}/postgresql.conf")
        yield script(_INCLUDE, f"{folder}/postgresql.conf")
        return
    host.noop(f"the cluster {cluster} is there")
