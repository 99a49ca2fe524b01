"""How all processes of the tests run, those that tests start too: compiled modules are kept, and garbage is collected less often.

Without the first, each command and server compiles half the project: a second of processor time, some hundred times. Without the second,
a fifth of a run goes into looking again and again through all that it holds to its end: tests, catalogue, syntax trees.
"""

import gc
import os
import sys
from pathlib import Path

gc.set_threshold(20_000, 20, 20)
sys.dont_write_bytecode = False
sys.pycache_prefix = os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / "build" / "pycache"))
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
