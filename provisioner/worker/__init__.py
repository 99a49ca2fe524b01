"""Drains what changes left to do: render, reconcile the PBX, promote, wake. Idempotent and restartable at any moment.

Every step asks the rows what is open, does a bounded part of it, and writes its result in one transaction that holds only if nothing
changed in between. There is no queue to lose and no state to repair: after a crash the rows say the same again.
"""

from provisioner.worker.backends import call_log, pbx_backend
from provisioner.worker.loop import Worker

__all__ = ["Worker", "call_log", "pbx_backend"]
