"""A worker that compares only when it is asked: Python imports this at the start of every part of the server where its folder is on the path.

What a hand changed in the PBX then stays until the test that changed it has looked.
"""

from provisioner.worker import pushing

pushing.SPOT_EVERY_S = pushing.CHECK_EVERY_S = 3600.0
