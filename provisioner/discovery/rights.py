"""Gives away what the process has no use for once its sockets are open (capabilities(7)): root becomes the user that owns the data folder, and
nothing is left that this user could not do.
"""

from __future__ import annotations

import ctypes
import os
import sysconfig
from collections.abc import Iterable
from pathlib import Path

_CAPSET_VERSION = 0x20080522
_DAC_OVERRIDE = 1
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_HIGHEST = 63
PROGRAM = (Path(__file__), Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("stdlib")))
"""What a module that is loaded later is read from."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def drop_rights(data_dir: Path, written: Iterable[Path], program: Iterable[Path] = PROGRAM) -> str:
    """Gives away every right for good. Returns why root could not become the owner of ``data_dir``; empty where it did, or there is no need.

    Where that user may not write all that is ``written``, or not read the ``program``, root stays, with the one capability by which it may
    write there itself. Raises ``OSError``.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _checked("prctl", libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    for number in range(_HIGHEST + 1):
        # Refused without the right to it, and for numbers that this kernel has not: nothing can be won back by exec in any case, by the line above.
        libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
    owner = data_dir.stat()
    why = _become(owner, written, program) if os.geteuid() == 0 and owner.st_uid != 0 else ""
    kept = 1 << _DAC_OVERRIDE if why else 0
    # Effective, permitted and inheritable sets of capabilities 0 to 31, then of 32 to 63; the ambient set is never more than the last two.
    sets = (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)
    _checked("capset", libc.capset(ctypes.byref(_Header(_CAPSET_VERSION, 0)), sets))
    return why


def _become(owner: os.stat_result, written: Iterable[Path], program: Iterable[Path]) -> str:
    """Becomes the owner for good, in all threads. Returns what that user may not reach, and then nothing has changed."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    beyond = [path for path in written if not os.access(path, os.R_OK | os.W_OK, effective_ids=True)]
    beyond += [path for path in program if not os.access(path, os.R_OK, effective_ids=True)]
    os.seteuid(0)
    os.setegid(0)
    if beyond:
        os.setgroups(groups)
        return f"user {owner.st_uid}, whose folder it is, may not use {', '.join(map(str, beyond))}"
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)
    return ""


def _checked(what: str, result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
