"""Record every program that a command and all below it start, with its arguments: `python -m lab.trace FILE COMMAND…`.

The kernel lets each exec wait (seccomp's user notification) until its arguments have been read from the process's
memory, so that none is missed however short it lives, and nothing but exec is slowed down. Unlike strace's filter it
leaves setuid programs (sudo) as they are. FILE gets one JSON list a line. Needs root, on x86_64.
"""

import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import sys
from pathlib import Path
from typing import TextIO

_SYS_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER = 317, 1, 8
_X86_64, _EXECVE, _EXECVEAT = 0xC000003E, 59, 322
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: ld [k], jeq k, ret k
_RECEIVE, _SEND, _CONTINUE = 0xC0502100, 0xC0182101, 1
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")  # struct seccomp_notif
_ANSWER = struct.Struct("=QqiI")  # struct seccomp_notif_resp
_LONGEST = 1 << 21  # bytes of one argument; Linux allows 128 KiB


def main(file: Path, command: list[str]) -> int:
    """Run the command and record until all it started has ended; return its exit status."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        socket.send_fds(theirs, [b"listener"], [_filter()])
        theirs.close()
        try:
            os.execvp(command[0], command)  # waits for the parent, like every exec from here on
        finally:
            os._exit(127)
    theirs.close()
    listener = socket.recv_fds(ours, 16, 1)[1][0]
    with file.open("a", buffering=1) as log:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while not poll.poll()[0][1] & select.POLLHUP:  # nobody is left
            _answer(listener, log)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _filter() -> int:
    """Have each exec of this process and its children reported; return the descriptor that reports."""
    steps = [
        (_LOAD, 0, 0, 4),  # seccomp_data.arch
        (_EQUAL, 0, 3, _X86_64),
        (_LOAD, 0, 0, 0),  # seccomp_data.nr
        (_EQUAL, 2, 0, _EXECVE),
        (_EQUAL, 1, 0, _EXECVEAT),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _NOTIFY),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("=HxxxxxxQ", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    listener = libc.syscall(_SYS_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER, program)
    if listener < 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
    return int(listener)


def _answer(listener: int, log: TextIO) -> None:
    """Record the arguments of one exec, and let it go on."""
    buffer = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
    except OSError:  # killed meanwhile
        return
    identity, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(buffer)
    vector = arguments[2] if number == _EXECVEAT else arguments[1]
    try:
        words = _strings(pid, vector)
    except OSError as problem:
        words = [f"unreadable: {problem}"]
    log.write(json.dumps(words) + "\n")
    try:
        fcntl.ioctl(listener, _SEND, _ANSWER.pack(identity, 0, 0, _CONTINUE))
    except OSError:  # killed meanwhile
        return


def _strings(pid: int, vector: int) -> list[str]:
    """The NULL-terminated vector of strings at an address of a process."""
    words: list[str] = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        while vector:
            memory.seek(vector + 8 * len(words))
            (address,) = struct.unpack("=Q", memory.read(8))
            if address == 0:
                break
            words.append(_string(memory.fileno(), address))
    return words


def _string(memory: int, address: int) -> str:
    """The C string at an address; read to the end of a page at a time, since the next may not be there."""
    data = b""
    while b"\0" not in data and len(data) < _LONGEST:
        place = address + len(data)
        data += os.pread(memory, 4096 - place % 4096, place)
    return data.partition(b"\0")[0].decode(errors="surrogateescape")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
