"""What is written on a lab host, seen by the kernel's fanotify: every file, however short it lived.

The mode that counts is the one that the file had when it was opened for writing, which the kernel lets nobody pass
before it has been looked at (a permission event), and the one it had when it was closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import stat
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

_CLASS_CONTENT, _CLOEXEC, _UNLIMITED_QUEUE, _UNLIMITED_MARKS = 0x4, 0x1, 0x10, 0x20
_MARK_ADD, _MARK_FILESYSTEM = 0x1, 0x100
_OPEN_PERM, _CLOSE_WRITE = 0x10000, 0x8
_ALLOW = 1
_EVENT = struct.Struct("=IBBHQii")  # struct fanotify_event_metadata
_LARGEST = 64 << 20  # bytes of a file that are looked at

# Sees a file that was written: its path, and its whole content.
Seen = Callable[[str, bytes], None]


class Watch:
    """Tells ``seen`` of each file that was written below ROOTS and that others could read at some moment."""

    def __init__(self, roots: list[Path], seen: Seen) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._seen = seen
        self._readable: dict[tuple[int, int], bool] = {}
        self.files = 0
        self.errors: list[str] = []
        flags = _CLASS_CONTENT | _CLOEXEC | _UNLIMITED_QUEUE | _UNLIMITED_MARKS
        self._fd = self._checked(self._libc.fanotify_init(flags, os.O_RDONLY | os.O_LARGEFILE | os.O_CLOEXEC))
        mask = ctypes.c_uint64(_OPEN_PERM | _CLOSE_WRITE)
        for root in roots:
            path = os.fsencode(root)
            self._checked(self._libc.fanotify_mark(self._fd, _MARK_ADD | _MARK_FILESYSTEM, mask, -100, path))
        self._stop, self._stopper = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        os.close(self._stopper)
        self._thread.join()
        os.close(self._fd)  # whoever waits for a permission gets it
        os.close(self._stop)

    def _checked(self, result: int) -> int:
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    def _run(self) -> None:
        while True:
            ready = select.select([self._fd, self._stop], [], [])[0]
            if self._fd not in ready:
                return
            data = os.read(self._fd, 65536)
            while data:
                length, _, _, _, mask, fd, _ = _EVENT.unpack_from(data)
                data = data[length:]
                try:
                    self._look(mask, fd)
                except OSError as problem:
                    self.errors.append(str(problem))
                finally:
                    if mask & _OPEN_PERM:
                        os.write(self._fd, struct.pack("=iI", fd, _ALLOW))
                    os.close(fd)

    def _look(self, mask: int, fd: int) -> None:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return
        key = (status.st_dev, status.st_ino)
        readable = bool(status.st_mode & stat.S_IROTH)
        if mask & _OPEN_PERM:
            self._readable[key] = readable
            return
        self.files += 1
        if (self._readable.pop(key, False) or readable) and status.st_size <= _LARGEST:
            path = f"inode {status.st_ino}"
            with contextlib.suppress(OSError):
                path = str(Path(f"/proc/self/fd/{fd}").readlink())
            self._seen(path, _content(fd))


def _content(fd: int) -> bytes:
    """The file's whole content; a deleted one has it still."""
    parts, offset = [], 0
    while part := os.pread(fd, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)
