"""Every write of desired state: validate, write, proof-render, append the ``change`` row, commit - one transaction.

What the worker and the serving processes have to do follows from the rows alone: a NULL hash is work to be done, an entry of
the index log is a record to be read again. Nothing is sent from here.
"""

from provisioner.changes.keys import KeyInput
from provisioner.changes.layouts import LayoutKeyInput
from provisioner.changes.phones import LineInput, PhoneInput
from provisioner.changes.writer import Changes, open_changes

__all__ = ["Changes", "KeyInput", "LayoutKeyInput", "LineInput", "PhoneInput", "open_changes"]
