"""Programs that run on the host, in its own Python, and have supervisor stop and start what it runs."""

from __future__ import annotations

from facts.supervisor import CONNECT

# All programs are asked to stop at once, so that the longest time that one of them takes is waited for, not the sum.
# A worker's job is a process in a session of its own: when supervisor kills a worker that took too long, the job lives
# on without it, with the code that is about to be replaced. So what belonged to the programs is ended, too.
_STOP = """
import shutil
from xmlrpc.client import Fault
def since(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[1]), fields[19]
def children(family):
    known = {pid for pid, _ in family}
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            found[int(name)] = since(int(name))
        except OSError:
            continue
    while True:
        more = {(pid, began) for pid, (parent, began) in found.items() if parent in known} - family
        if not more:
            return family
        family |= more
        known |= {pid for pid, _ in more}
def stop(s, programs, locks=()):
    of = lambda: [p for p in s.getAllProcessInfo() if p["group"] in programs]
    family = set()
    for program in programs:
        s.stopProcessGroup(program, False)
    while True:
        left = [p for p in of() if p["statename"] in ("RUNNING", "STARTING", "STOPPING", "BACKOFF")]
        for pid in [p["pid"] for p in left if p["pid"]]:
            try:
                family.add((pid, since(pid)[1]))
            except OSError:
                pass
        family = children(family)
        if not left:
            break
        time.sleep(0.1)
    killed = False
    for pid, began in family:
        try:
            if since(pid)[1] == began:
                os.kill(pid, 9)
                killed = True
        except OSError:
            pass
    for folder in locks if killed else ():
        try:
            fd = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW)  # in /tmp anybody may have laid a link
        except OSError:
            continue
        for name in os.listdir(fd):
            try:
                os.unlink(name, dir_fd=fd)
            except OSError:  # a folder, or gone meanwhile
                pass
def reload(s):
    try:
        return s.reloadConfig()[0]
    except Fault as fault:
        sys.exit("supervisor refuses its configuration: " + fault.faultString)
"""

# Starting does not wait for startsecs.
FOLLOW = (
    CONNECT
    + _STOP
    + """
locks, programs, s = sys.argv[1].split(), sys.argv[2:], supervisor()
added, changed, removed = reload(s)
stop(s, [p for p in programs if p not in added], locks)
for program in programs:
    if program in changed + removed:
        s.removeProcessGroup(program)
    if program in added + changed:
        s.addProcessGroup(program)
    elif program not in removed:
        s.startProcessGroup(program, False)
"""
)

ABSENT = (
    CONNECT
    + _STOP
    + """
program, paths = sys.argv[1], sys.argv[2:]
for path in paths:
    if os.path.isdir(path) and not os.path.islink(path):  # in which a killed run built the file
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)
try:
    s = supervisor()
    there = any(p["group"] == program for p in s.getAllProcessInfo())
except (ImportError, OSError):
    if not subprocess.call(["systemctl", "is-active", "--quiet", "supervisor.service"]):
        sys.exit("supervisor does not answer, so that " + program + " cannot be stopped; see `journalctl -u supervisor`")
    there = False
if there:
    if program not in reload(s)[2]:
        sys.exit("supervisor knows " + program + " from another file than " + paths[0] + "; remove it there")
    stop(s, [program])
    s.removeProcessGroup(program)
"""  # noqa: E501
)
