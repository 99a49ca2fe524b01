"""Where an Asterisk is asked, and as whom."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AsteriskAddress:
    """The manager interface (AMI) of an Asterisk. It alone carries everything: docs/adr/0009 says why ARI does not.

    The AMI user needs ``read = system,call,security`` and ``write = system,reporting,call``.
    """

    ami_host: str
    ami_port: int
    ami_user: str
    ami_password: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.ami_host}:{self.ami_port}"
