"""Run a command inside a host, as a child: `python enter.py PID COMMAND…`, PID being the host's process 1.

nsenter does the same but stops for ever when the guest shuts down meanwhile: systemd stops all processes
before it kills them, and nsenter stops itself with its child. This program imports nothing of the lab.
"""

import ctypes
import os
import signal
import sys

# Mount, cgroup, UTS, IPC, PID and network namespaces (linux/sched.h).
NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
PR_SET_PDEATHSIG = 1
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "LANG": "C.UTF-8",
}


def main(leader: int, command: list[str]) -> int:
    """Run the command and return its exit status; 128 + N when signal N ended it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(os.pidfd_open(leader), NAMESPACES) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    child = os.fork()  # only a child is in the new process namespace
    if child == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # Not os.execvpe: it imports modules, which would now come from the host's file system.
        os.execve("/usr/bin/env", ["env", *command], {**ENVIRONMENT, "TERM": os.environ.get("TERM", "dumb")})
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # the terminal sends them to the child too
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    try:
        sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
    except OSError as problem:
        print(f"lab: the host is not running: {problem.strerror}", file=sys.stderr)
        sys.exit(1)
