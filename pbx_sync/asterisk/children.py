"""Processes that must not outlive us: the kernel ends them when we are gone, however we went (prctl(2), PR_SET_PDEATHSIG)."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
"""Loaded before a fork: between fork and exec nothing may be loaded any more."""


def dying_with_us(number: signal.Signals, *, open_files: int | None = None) -> Callable[[], None]:
    """Returns the ``preexec_fn`` of a child that gets this signal when the thread that starts it ends, and may open so many files."""
    parent = os.getpid()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = open_files if open_files is None or hard == resource.RLIM_INFINITY else min(open_files, hard)

    def before_exec() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, number)
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        if os.getppid() != parent:  # we died before the kernel was told to tell it
            os._exit(1)

    return before_exec
