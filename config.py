"""pyinfra's own start-up file: sudo, versions, how hosts are reached, masked output, and what stops a run at once.

pyinfra itself ends with success when the inventory does not exist or ``--limit`` selects nobody.
"""

import gevent.hub
from pyinfra import config
from pyinfra.api.exceptions import PyinfraError

from pyinfra_adapter import reach, said, verdict
from settings import masking
from settings.commandline import check
from settings.invocation import program
from settings.places import places

config.SUDO = True
config.FAIL_PERCENT = 0  # one failed host stops the run: the services of a portal need each other
config.TEMP_DIR = "/tmp"
# What commands print is read, so it must not depend on the host's language.
config.ENV = {"LC_ALL": "C.UTF-8", "LANGUAGE": ""}
config.REQUIRE_PYINFRA_VERSION = ">=3.10,<4"

# Our own errors are sentences for the operator; gevent would print a traceback of its own above each.
gevent.hub.Hub.NOT_ERROR = (*gevent.hub.Hub.NOT_ERROR, PyinfraError)

masking.install()
said.install()
verdict.install(program("pyinfra"))
reach.install(places)
check()
