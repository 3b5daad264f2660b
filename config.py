"""pyinfra's own start-up file: sudo, versions, masked output, and the stop when nothing would be deployed.

pyinfra itself ends with success when the inventory does not exist or ``--limit`` selects nobody.
"""

import gevent.hub
from pyinfra import config
from pyinfra.api.exceptions import PyinfraError

from pyinfra_adapter import verdict
from settings import masking
from settings.commandline import check
from settings.invocation import program

config.SUDO = True
config.FAIL_PERCENT = 0  # one failed host stops the run: the services of a portal need each other
config.TEMP_DIR = "/tmp"
config.ENV = {"LC_ALL": "C.UTF-8"}  # what commands print is read, so it must not depend on the host's language
config.REQUIRE_PYINFRA_VERSION = ">=3.10,<4"

# Our own errors are sentences for the operator; gevent would print a traceback of its own above each.
gevent.hub.Hub.NOT_ERROR = (*gevent.hub.Hub.NOT_ERROR, PyinfraError)

masking.install()
verdict.install(program("pyinfra"))
check()
