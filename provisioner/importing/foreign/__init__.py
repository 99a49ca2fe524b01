"""What other systems write, turned into the rows that our own spreadsheet would have: the plan, its preview and its mistakes stay as they are.

Each format has a module that knows its names and where they are from. What a phone's own files hold is known to the catalogue alone.
"""

from provisioner.importing.foreign.formats import FORMATS, Reader, Told

__all__ = ["FORMATS", "Reader", "Told"]
