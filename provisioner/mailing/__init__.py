"""E-mail notices: people are told of trouble. Composed in their language, gathered, tried again; sent by the worker's process.

What waits is no queue: it is the changes after a recipient's position, so nothing grows while the mail server is away. What lives here:
when and how a notice is sent, and its words. What does not: any row (``store``, ``changes``), and what is an event (``worker``).
"""

from provisioner.mailing.rounds import Mailing
from provisioner.mailing.sending import MailServer, NotTaken, mail_server, send, tried

__all__ = ["MailServer", "Mailing", "NotTaken", "mail_server", "send", "tried"]
