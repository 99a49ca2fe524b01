"""Numbers that can be called: extensions and departments share one space of them."""

from __future__ import annotations

import re

NUMBER = re.compile(r"^[0-9A-Za-z*#+][0-9A-Za-z*#+._\-]{0,31}\Z")
NUMBER_HELP = "1 to 32 digits or letters are needed, for example 1001"
