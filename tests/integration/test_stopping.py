"""A part hears SIGTERM at any moment, even while its main thread holds the lock of the event that it waits for."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal, threading
from provisioner.parts.running import stop_on_signals
stop = threading.Event()
stop_on_signals(stop)
with stop._cond:  # where Event.wait is for a moment before and after it sleeps
    os.kill(os.getpid(), signal.SIGTERM)
os._exit(0 if stop.wait(30) else 3)
"""


def test_signal_inside_the_wait_stops_the_part() -> None:
    assert subprocess.run([sys.executable, "-c", PROGRAM], timeout=60, check=False).returncode == 0
