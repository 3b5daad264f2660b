"""The lab's download site: serves `<cache>/mirror` on the bridge while hosts are there. Read-only.

Run by the lab as `python -m lab.mirror STATE ADDRESS FOLDER`.
"""

import http.server
import os
import sys
from functools import partial
from pathlib import Path

from lab import network, paths, processes, system
from lab.errors import LabError

PORT = 8080


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files of one folder; what a symbolic link would reach outside of it is not found."""

    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds that a silent connection may hold a thread

    def translate_path(self, path: str) -> str:
        """The file for a request's path."""
        root = Path(self.directory).resolve()
        file = Path(super().translate_path(path)).resolve()
        return str(file) if file.is_relative_to(root) else str(root / "outside-of-the-mirror")


def folder() -> Path:
    """What the mirror serves."""
    return paths.cache() / "mirror"


def url() -> str:
    """The mirror's address for hosts and controller, no slash at the end; raises LabError without a lab."""
    net = network.current()
    if net is None:
        raise LabError("the lab's mirror runs only while there are hosts: python -m lab up NAME")
    return f"http://{net.gateway}:{PORT}"


def ensure(net: network.Network) -> None:
    """Start the server unless it runs. Needs `state.lock()`. Raises LabError when it does not come up."""
    if processes.mirror() is not None:
        return
    folder().mkdir(parents=True, exist_ok=True)
    log = paths.state() / "mirror.log"
    system.daemon("lab.mirror", [str(paths.state()), net.gateway, str(folder())], log)
    if processes.mirror() is None:
        said = log.read_text().strip().splitlines() or ["it ended"]
        raise LabError(f"the mirror does not start: {said[-1]}")


def serve(address: str, root: str) -> None:
    """Serve until killed; whoever started us waits until connections are accepted."""
    with _Server((address, PORT), partial(Handler, directory=root)) as server:
        if os.fork():
            os._exit(0)
        os.setsid()
        server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[2], sys.argv[3])
