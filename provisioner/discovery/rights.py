"""Gives away what the process has no use for once its sockets are open (capabilities(7)): it stays the user that owns the data folder, and can
do nothing that this user could not.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_CAPSET_VERSION = 0x20080522
_DAC_OVERRIDE = 1
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL = 24, 38, 47, 4
_HIGHEST = 63


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def drop_capabilities(data_dir: Path) -> None:
    """Gives away every capability for good. Root that works in another user's folder keeps the one by which it may write there."""
    kept = 1 << _DAC_OVERRIDE if os.geteuid() == 0 and data_dir.stat().st_uid != 0 else 0
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0)
    for number in range(_HIGHEST + 1):
        libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)  # refused without the right to it, and for numbers that this kernel has not
    # Effective, permitted and inheritable sets of capabilities 0 to 31, then of 32 to 63.
    sets = (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)
    if libc.capset(ctypes.byref(_Header(_CAPSET_VERSION, 0)), sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
