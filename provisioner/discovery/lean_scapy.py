"""Makes scapy smaller, by being imported before it.

Its table of all the world's makers (50,000 prefixes, 11 MB while it is read) is not read: the catalogue knows those that matter. Its cache is
neither read nor written: that is pickled, in the home folder of whoever runs the server.
"""

from __future__ import annotations

import sys
from types import ModuleType

import scapy.main

MAKERS = "scapy.libs.manuf"
"""The module with the table, for which an empty one stands until scapy is imported."""

scapy.main.SCAPY_CACHE_FOLDER = None
_empty = ModuleType(MAKERS)
_empty.__dict__["DATA"] = ""
sys.modules[MAKERS] = _empty
