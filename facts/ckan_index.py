"""Facts about CKAN's search index, compared with CKAN's database; without CKAN's own slow command."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyinfra.api import FactBase, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.sent import PRIVATE, in_environment
from facts.value import Value

# What the index must hold is every active dataset, private ones included; what it must not hold are those that are
# deleted or gone (a Solr that was in use before has such). CKAN saves to the database first and indexes afterwards:
# what differs is looked at again for a while before it counts. Datasets that CKAN itself failed to index stand in
# the stamp, below its key, and do not count; a stamp that anybody else could have written counts for nothing. The
# database's URL is read on the host: it holds the password.
COMPARE = (
    PRIVATE
    + r"""
import configparser, json, re, sys, time, urllib.error, urllib.parse, urllib.request
def compare(ini, url, site, stamp, wait, again):
    answer = {"known": False, "total": 0, "missing": [], "surplus": [], "stamp": None, "refused": []}
    key, *refused = (private(stamp) or "").split() or [None]
    if key and all(re.fullmatch(r"[\w-]{2,100}", word) for word in refused):
        answer.update(stamp=key, refused=refused)
    parser = configparser.RawConfigParser(strict=False)
    parser.read(ini)
    option = lambda name, other: parser.get("app:main", name, fallback=other)
    keeps = option("ckan.search.remove_deleted_packages", "true").lower() in ("false", "no", "off", "n", "f", "0")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    def database():
        import psycopg2
        connection = psycopg2.connect(option("sqlalchemy.url", "").replace("%%", "%"), connect_timeout=10)
        try:
            cursor = connection.cursor()
            cursor.execute("select to_regclass('public.package')")
            if not cursor.fetchone()[0]:
                return {}
            cursor.execute("select id, state from package")
            return dict(cursor.fetchall())
        finally:
            connection.close()
    def index(rows):
        query = {"q": "*:*", "fq": '+site_id:"%s" +entity_type:package' % site, "fl": "id", "rows": rows, "wt": "json"}
        deadline = time.monotonic() + wait
        while True:
            try:
                with opener.open(url + "/select?" + urllib.parse.urlencode(query), timeout=30) as response:
                    return {document["id"] for document in json.load(response)["response"]["docs"]}
            except (OSError, ValueError):
                if time.monotonic() >= deadline:
                    raise
            time.sleep(1)
    def differences():
        states = database()
        found = index(len(states) + 100000)
        answer["total"] = len(states)
        deleted = () if keeps else ("deleted",)
        missing = {i for i, state in states.items() if state == "active"} - found - set(answer["refused"])
        return missing, {i for i in found if i not in states or states[i] in deleted}
    try:
        missing, surplus = differences()
        for attempt in range(again):
            if not missing and not surplus:
                break
            time.sleep(1)
            still = differences()
            missing, surplus = missing & still[0], surplus & still[1]
    except Exception:
        return answer
    return {**answer, "known": True, "missing": sorted(missing), "surplus": sorted(surplus)}
"""
)
_FACT = (
    COMPARE
    + r"""
found = compare(*sys.argv[1:5], float(sys.argv[5]), int(sys.argv[6]))
for name in ("missing", "surplus", "refused"):
    found[name] = len(found[name])
print(json.dumps(found))
"""
)


_SETTLE = 5  # seconds for CKAN to index what it has just saved


@dataclass(frozen=True)
class IndexState(Value):
    """CKAN's index: numbers of datasets in the database, of those that it lacks, and of those that it has too much.

    ``known``: database and Solr answered, so that the numbers are true. ``stamp``: the key that the last run left.
    ``refused``: number of datasets that CKAN could not index then, which are not counted as missing.
    """

    known: bool = False
    total: int = 0
    missing: int = 0
    surplus: int = 0
    stamp: str | None = None
    refused: int = 0


class Index(FactBase[IndexState]):
    """Whether CKAN's search index holds the datasets of CKAN's database.

    + path: of CKAN's virtual environment
    + ini: path of ckan.ini, which names the database
    + url: of the core
    + site: ``ckan.site_id``
    + stamp: path of the file that the last run left
    + wait: longest wait for Solr to answer, seconds
    """

    @override
    def command(self, path: str, ini: str, url: str, site: str, stamp: str, wait: int = 0) -> StringCommand:
        """Build the one command of this fact; without an environment it prints nothing."""
        return in_environment(path, _FACT, ini, url, site, stamp, str(wait), str(_SETTLE))

    @staticmethod
    @override
    def default() -> IndexState:
        """There is no CKAN that could ask."""
        return IndexState()

    @override
    def process(self, output: list[str]) -> IndexState:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            return IndexState(**json.loads(output[-1]))
        except (IndexError, TypeError, ValueError):
            raise FactProcessError(f"the state of CKAN's search index is not understood: {output!r}") from None
