"""Keeps compiled modules in ``build/``, also for the commands and servers that tests start, whatever the environment says of it.

Without, each of them compiles half the project: a second of processor time, some hundred times.
"""

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = False
sys.pycache_prefix = os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / "build" / "pycache"))
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
