"""Files of one's own over the shipped catalogue: read safely, checked before they are taken into use, kept through upgrades.

Three places. The *overlay* is the folder that a person edits; nothing is served from it. What is *in use* is a copy of a whole set of
its files that was checked, in the data folder (``kept``): it is loaded, and it stays when a later edit is wrong. Beside it are the
last versions of each file, and what the shipped file was when somebody took it over (its *base*), so that an upgrade can be told.
"""

from provisioner.overlay.place import OverlayPlace
from provisioner.overlay.standing import OwnFile, own_files, upgrade_notices
from provisioner.overlay.using import Taken, catalogue_in_use, mistakes_of, take

__all__ = ["OverlayPlace", "OwnFile", "Taken", "catalogue_in_use", "mistakes_of", "own_files", "take", "upgrade_notices"]
