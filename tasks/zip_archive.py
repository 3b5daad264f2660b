"""ZIP archives with a password, as DCOR-Aid reads them.

The cipher is PKWARE's original one: the only one that Python's own ``zipfile`` opens, which cannot make it. It is
weak: who knows a dozen bytes in a row as they went into it computes its state, and needs no password. So what everybody
knows goes into the archive as it is, and what is encrypted is compressed.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass


def _table_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
    return value


_TABLE = tuple(map(_table_entry, range(256)))
_DATE = (1 << 5) | 1  # 1980-01-01: when an archive was made is nobody's business


def _crc(crc: int, byte: int) -> int:
    return (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]


class _Cipher:
    """PKWARE's stream cipher (APPNOTE.TXT, 6.1)."""

    def __init__(self, password: bytes) -> None:
        self.keys = [0x12345678, 0x23456789, 0x34567890]
        for byte in password:
            self._update(byte)

    def _update(self, byte: int) -> None:
        first, second, third = self.keys
        first = _crc(first, byte)
        second = ((second + (first & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        self.keys = [first, second, _crc(third, second >> 24)]

    def encrypt(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            word = (self.keys[2] & 0xFFFF) | 2
            out.append(byte ^ ((word * (word ^ 1)) >> 8 & 0xFF))
            self._update(byte)
        return bytes(out)


@dataclass(frozen=True)
class Member:
    """A file of an archive.

    + encrypted: with the archive's password
    """

    content: bytes
    encrypted: bool


def archive(members: Mapping[str, Member], password: str) -> bytes:
    """Return an archive of MEMBERS, by their names in ASCII; some of them encrypted with PASSWORD (UTF-8)."""
    body, directory = b"", b""
    for name, member in members.items():
        crc = zlib.crc32(member.content)
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = compressor.compress(member.content) + compressor.flush()
        if member.encrypted:  # 12 bytes first, the last of which tells a wrong password
            data = _Cipher(password.encode()).encrypt(os.urandom(11) + bytes([crc >> 24]) + data)
        head = struct.pack(
            "<5H3L2H", 20, int(member.encrypted), 8, 0, _DATE, crc, len(data), len(member.content), len(name), 0
        )
        directory += (
            b"PK\1\2" + struct.pack("<H", 0x0314) + head + struct.pack("<3H2L", 0, 0, 0, 0o600 << 16, len(body))
        )
        directory += name.encode("ascii")
        body += b"PK\3\4" + head + name.encode("ascii") + data
    count = len(members)
    return body + directory + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, count, count, len(directory), len(body), 0)
