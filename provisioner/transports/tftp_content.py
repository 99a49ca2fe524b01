"""Where the blocks of a TFTP transfer come from: rendered bodies, ready as datagrams, and static files, read as they go.

What does not live here: which block is due (``tftp_session``), the layout of datagrams (``tftp_packets``), the choice of the file (core).
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from provisioner.core.values import FileAnswer, Reason
from provisioner.transports.tftp_packets import FILE_NOT_FOUND, HEADS, INTERNAL_ERROR, NO_ANSWER, OCTET_ONLY, Terms, data, netascii
from provisioner.transports.tftp_session import TFTPLimits

_LOG = logging.getLogger("provisioner.tftp")
_SETTLED_S = 2.0
"""Files that changed later than this are not kept: two writes within one tick of the file system's clock look like one."""


class UnservableError(Exception):
    """The answer was to serve and there is nothing to serve; holds the reason to record and the datagram to send."""

    def __init__(self, reason: Reason, wire: bytes) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wire = wire


class FileChangedError(Exception):
    """The static file is not what it was when the transfer began; what follows would be wrong bytes."""


class TooManyFilesError(Exception):
    """As many static files are open as the limits allow."""


class Content(Protocol):
    """The blocks of one file at one block size."""

    size: int
    """In octets."""
    count: int
    """Blocks; the last one is shorter than the block size and may be empty (RFC 1350 section 6)."""
    ready: Sequence[bytes]
    """All DATA datagrams from block 1 on, where they are at hand; else empty."""

    def packets(self, first: int, last: int) -> Sequence[bytes]:
        """Returns the DATA datagrams of blocks ``first`` to ``last``, both included."""

    def ahead(self, first: int, count: int) -> None:
        """Has ``count`` blocks from ``first`` on at hand before they are asked for, where that saves the client a wait."""

    def close(self) -> None:
        """Gives back what the content holds; called once."""


class ReadyContent:
    """Blocks as finished datagrams, fewer than ``len(HEADS)``: an acknowledgement costs a list index."""

    def __init__(self, body: bytes, blksize: int) -> None:
        self.size = len(body)
        self.count = self.size // blksize + 1
        self.ready: Sequence[bytes] = [HEADS[n // blksize + 1] + body[n : n + blksize] for n in range(0, self.size + 1, blksize)]

    def packets(self, first: int, last: int) -> Sequence[bytes]:
        return self.ready[first - 1 : last]

    def ahead(self, first: int, count: int) -> None:
        """All is at hand."""

    def close(self) -> None:
        """Nothing is held."""


class CutContent:
    """Blocks cut from a body as they go."""

    ready: Sequence[bytes] = ()

    def __init__(self, body: bytes, blksize: int) -> None:
        self.size = len(body)
        self.count = self.size // blksize + 1
        self._body = body
        self._blksize = blksize

    def packets(self, first: int, last: int) -> Sequence[bytes]:
        size, body = self._blksize, self._body
        if first == last < len(HEADS):
            return (HEADS[first] + body[(first - 1) * size : first * size],)
        return [data(n, body[(n - 1) * size : n * size]) for n in range(first, last + 1)]

    def ahead(self, first: int, count: int) -> None:
        """All is at hand."""

    def close(self) -> None:
        """Nothing is held."""


class PacketCache:
    """Ready DATA packets per body and block size, the least recently used forgotten beyond ``bound`` bytes.

    Only from the second request on: a phone's own file is asked for once per boot, and to cut it as it goes costs less than to keep it
    (measured: 47 against 58 us for 20 KB at 1428); the files that all phones share are asked for hundreds of times.
    """

    _OVERHEAD_BYTES = 48  # of one bytes object with its TFTP header and its place in the list
    _REMEMBERED = 4096

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._entries: OrderedDict[Hashable, ReadyContent] = OrderedDict()
        self._asked_once: OrderedDict[Hashable, None] = OrderedDict()
        self.held_bytes = 0

    def known(self, key: Hashable) -> ReadyContent | None:
        """Returns what is kept for ``key``: whatever tells body, transfer mode and block size from all others."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def content(self, key: Hashable, body: bytes, blksize: int) -> Content:
        """Returns the blocks of ``body``, kept for ``known`` where it is worth it."""
        if len(body) // blksize + 1 >= len(HEADS) or not self._is_second(key):
            return CutContent(body, blksize)
        entry = self._entries[key] = ReadyContent(body, blksize)
        self.held_bytes += self._cost(entry)
        while self.held_bytes > self._bound:
            self.held_bytes -= self._cost(self._entries.popitem(last=False)[1])
        return entry

    def _is_second(self, key: Hashable) -> bool:
        if key in self._asked_once:
            del self._asked_once[key]
            return True
        self._asked_once[key] = None
        if len(self._asked_once) > self._REMEMBERED:
            self._asked_once.popitem(last=False)
        return False

    def _cost(self, entry: ReadyContent) -> int:
        return entry.size + entry.count * self._OVERHEAD_BYTES


class _Identity(NamedTuple):
    """What must stay the same while a file is sent. Not the ctime: a rename over the file changes it, and the open one stays whole."""

    device: int
    inode: int
    size: int
    modified_ns: int


def _identity(status: os.stat_result) -> _Identity:
    return _Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class OpenFiles:
    """Static files in use, one descriptor each however many phones load them, at most ``bound`` at a time."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._users: dict[_Identity, list[int]] = {}  # identity -> [descriptor, users]

    def __len__(self) -> int:
        return len(self._users)

    def content(self, path: Path, blksize: int) -> FileContent:
        """Returns the blocks of the file at ``path``; the caller closes it.

        Raises ``TooManyFilesError``, and ``OSError`` for what cannot be opened or is no regular file.
        """
        descriptor, identity = self._open(path)
        held = self._users.get(identity)
        if held is not None or len(self._users) >= self._bound:
            os.close(descriptor)
        if held is None:
            if len(self._users) >= self._bound:
                raise TooManyFilesError
            held = self._users[identity] = [descriptor, 0]
        held[1] += 1
        return FileContent(self, held[0], identity, blksize)

    def small(self, path: Path, bound: int) -> tuple[os.stat_result, bytes] | None:
        """Returns what the disk says of the file, and its contents; None where it has more than ``bound`` bytes.

        Raises ``OSError`` as above, and where the file changed while it was read.
        """
        descriptor, identity = self._open(path)
        try:
            if identity.size > bound:
                return None
            body = os.pread(descriptor, identity.size, 0)
            status = os.fstat(descriptor)
            if len(body) != identity.size or _identity(status) != identity:
                raise OSError(errno.ESTALE, "the file changed while it was read")
            return status, body
        finally:
            os.close(descriptor)

    def text(self, path: Path, bound: int) -> bytes:
        """Returns the whole file; raises ``UnservableError`` where it has more than ``bound`` bytes, and ``OSError`` as above."""
        descriptor, identity = self._open(path)
        try:
            if identity.size > bound:
                raise UnservableError(Reason.BAD_REQUEST, OCTET_ONLY)
            return os.pread(descriptor, identity.size, 0)
        finally:
            os.close(descriptor)

    def _open(self, path: Path) -> tuple[int, _Identity]:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # NONBLOCK: a FIFO must not hold up the loop
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise IsADirectoryError(f"{path.name} is not a regular file")
        return descriptor, _identity(status)

    def release(self, identity: _Identity) -> None:
        """Closes the file when its last user has left."""
        held = self._users[identity]
        held[1] -= 1
        if held[1] <= 0:
            del self._users[identity]
            os.close(held[0])


class FileContent:
    """Blocks of a static file, read as they go: memory stays flat whatever the size of the firmware.

    A little is read ahead, once the client has shown that it exists: to save two system calls for most blocks, and while the client is busy
    with what it got. What was read stays right when the file changes afterwards; the next read notices.
    """

    ready: Sequence[bytes] = ()
    _AHEAD_BYTES = 16 << 10

    def __init__(self, files: OpenFiles, descriptor: int, identity: _Identity, blksize: int) -> None:
        self.size = identity.size
        self.count = identity.size // blksize + 1
        self._files = files
        self._descriptor = descriptor
        self._identity = identity
        self._blksize = blksize
        self._first = 1
        self._read: list[bytes] = []  # datagrams from block _first on

    def packets(self, first: int, last: int) -> Sequence[bytes]:
        """Returns the DATA datagrams; raises ``FileChangedError`` where the file was touched."""
        if not self._first <= first <= last < self._first + len(self._read):
            self._read = self._blocks(first, last)
            self._first = first
        return self._read[first - self._first : last - self._first + 1]

    def ahead(self, first: int, count: int) -> None:
        """Reads as many whole windows of ``count`` blocks as make up a little; raises like ``packets``."""
        last = min(first + count - 1, self.count)
        if first > last or self._first <= first <= last < self._first + len(self._read):
            return
        windows = max(1, self._AHEAD_BYTES // (count * self._blksize))
        self._read = self._blocks(first, min(first + windows * count - 1, self.count))
        self._first = first

    def _blocks(self, first: int, last: int) -> list[bytes]:
        size = self._blksize
        start = (first - 1) * size
        wanted = min(last * size, self.size) - start
        try:
            chunk = os.pread(self._descriptor, wanted, start)
        except OSError as error:  # a bad disk, a network file system that went away
            raise FileChangedError from error
        # Looked at after the read, so that a write before or during it is seen.
        if len(chunk) != wanted or _identity(os.fstat(self._descriptor)) != self._identity:
            raise FileChangedError
        return [data(n, chunk[(n - first) * size : (n - first + 1) * size]) for n in range(first, last + 1)]

    def close(self) -> None:
        self._files.release(self._identity)


class Contents:
    """Opens whatever an answer says to serve, within the limits on cached bytes and open files."""

    def __init__(self, limits: TFTPLimits) -> None:
        self._limits = limits
        self.cache = PacketCache(limits.cached_bytes)
        self.files = OpenFiles(limits.open_files)

    def content(self, answer: FileAnswer, mode: str, terms: Terms) -> Content:
        """Returns the blocks of a SERVED answer, which the caller closes; raises ``UnservableError``."""
        if answer.static_path is None:
            return self._body(answer.body, answer.sha256, mode, terms.blksize)
        try:
            return self._static(answer.static_path, mode, terms.blksize)
        except TooManyFilesError:
            raise UnservableError(Reason.OVERLOADED, NO_ANSWER) from None
        except FileNotFoundError:
            raise UnservableError(Reason.NO_SUCH_FILE, FILE_NOT_FOUND) from None
        except OSError as error:
            _LOG.error("event=tftp_static_unreadable error=%s errno=%s", type(error).__name__, error.errno)
            raise UnservableError(Reason.FAILED, INTERNAL_ERROR) from None

    def _body(self, body: bytes, sha256: str, mode: str, blksize: int) -> Content:
        key = (sha256, len(body), mode, blksize)
        known = self.cache.known(key)
        if known is not None:
            return known
        if mode == "netascii":
            body = netascii(body)
        return self.cache.content(key, body, blksize) if sha256 else CutContent(body, blksize)

    def _static(self, path: Path, mode: str, blksize: int) -> Content:
        if mode == "netascii":
            return CutContent(netascii(self.files.text(path, self._limits.netascii_file_bytes)), blksize)
        # One look at the disk instead of six calls to read the file again.
        known = self.cache.known(_kept_as(path.stat(), blksize))
        if known is not None:
            return known
        small = self.files.small(path, self._limits.small_file_bytes)
        if small is None:
            return self.files.content(path, blksize)
        status, body = small
        if time.time() - status.st_ctime < _SETTLED_S:
            return CutContent(body, blksize)
        return self.cache.content(_kept_as(status, blksize), body, blksize)


def _kept_as(status: os.stat_result, blksize: int) -> Hashable:
    """Returns the key of a file's packets. With the ctime: whatever is done to the file moves it, even if its own time is set back."""
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns, blksize
