"""A wall clock that a test can set: Python imports this at the start of every part of the server where its folder is on the path.

``TEST_CLOCK`` names a file with the seconds that the clock is off; without it the clock is right. Monotonic time is never touched.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

LOOK_S = 0.05
_right = time.time
_file = os.environ.get("TEST_CLOCK", "")
_looked_at, _off_s = -1.0, 0.0


def _set_clock() -> float:
    """Returns the time by the clock as it is set now."""
    global _looked_at, _off_s
    now = time.monotonic()
    if now - _looked_at > LOOK_S:
        _looked_at, _off_s = now, float(Path(_file).read_text("ascii") or 0)
    return _right() + _off_s


if _file:
    time.time = _set_clock
