"""Workers under supervisor: do CKAN's background jobs."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from deploys.ckan import ENVIRONMENT, INI, LOGS, code
from operations import python, supervisor
from settings.ckan import CkanSettings
from settings.workers import WorkersSettings

# The names are those that CKAN's package and DCOR's own playbooks use: where one of these has been before, its program
# is replaced by ours and not run beside it.
PROGRAMS = {
    "default": "ckan-worker",
    "dcor-short": "ckan-worker-dcor-short",
    "dcor-normal": "ckan-worker-dcor-normal",
    "dcor-long": "ckan-worker-dcor-long",
}

# Of dc_serve's condensed files: a resource whose lock is there is never condensed again, until the next boot.
_LOCKS = ("/tmp/DCOR_generate_condensed",)


@deploy("Workers")
def workers(settings: WorkersSettings, ckan: CkanSettings) -> None:
    """Run the workers of each queue with CKAN's newest code and configuration.

    A worker that is asked to stop ends at once when it has nothing to do, or with the job that it is at, for which it
    has some time. Jobs that are waiting stay in Redis.
    """
    for queue, number in settings.queues.items():
        if number:
            supervisor.program(
                name=f"Describe the workers of {queue} to supervisor",
                program=PROGRAMS[queue],
                command=f"{ENVIRONMENT}/bin/ckan -c {INI} jobs worker {queue}",
                user="www-data",
                environment=ckan.program_environment,
                logs=LOGS,
                processes=number,
                stopwaitsecs=settings.stop_seconds,
            )
        else:
            supervisor.absent(name=f"Remove the workers of {queue}", program=PROGRAMS[queue])
    # Of CKAN's package, where somebody installed that by hand; nobody uses it here.
    supervisor.absent(name="Remove DataPusher", program="ckan-datapusher")
    supervisor.follow(
        name="Run the workers with their newest code and configuration",
        programs=[PROGRAMS[queue] for queue, number in settings.queues.items() if number],
        reads=[*code(ckan), INI],
        locks=_LOCKS if settings.flavour == "dcor" else (),
    )
    python.former_absent(name="Remove the former environment of CKAN", path=ENVIRONMENT, seconds=settings.stop_seconds)
