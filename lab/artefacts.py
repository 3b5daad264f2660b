"""What is slow to build and does not depend on each other, built side by side: base systems, Solr, MinIO."""

import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

from lab import base, minio_build, mirror, mirror_solr
from lab.errors import LabError
from lab.solr_build import SOLR_VERSION


def ensure(releases: Iterable[str]) -> None:
    """Have all that a portal on RELEASES needs in the cache; says how long each part took that had to be built.

    + releases: names of releases whose base systems are wanted
    + raises: LabError that names each part that could not be built
    """
    parts: dict[str, Callable[[], object]] = {
        "Solr": partial(mirror_solr.ensure_solr, SOLR_VERSION, mirror.folder()),
        "MinIO": minio_build.ensure_minio,
    }
    for release in dict.fromkeys(releases):
        parts[f"the base system of {release}"] = partial(base.ensure, release)
    failed = []
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        began = time.monotonic()
        futures = {pool.submit(build): name for name, build in parts.items()}
        for future in as_completed(futures):
            seconds = time.monotonic() - began
            try:
                future.result()
            except LabError as error:
                failed.append(f"{futures[future]}: {error}")
                print(f"lab: {failed[-1]}", file=sys.stderr, flush=True)
                continue
            if seconds > 5:
                print(f"{futures[future]} is ready ({seconds:.0f} s)", flush=True)
    if failed:
        raise LabError(f"not everything could be built: {'; '.join(failed)}")
