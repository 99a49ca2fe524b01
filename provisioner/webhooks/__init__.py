"""Webhooks: other programs are told of changes. Queued in the database, signed, retried, bounded; sent by the worker's process.

What lives here: when and how a delivery is sent. What does not: any row (``store``, ``changes``), the API's view of it (``api``).
"""

from provisioner.webhooks.rounds import Webhooks

__all__ = ["Webhooks"]
