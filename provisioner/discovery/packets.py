"""The classes of scapy that are used here."""

from __future__ import annotations

import sys

from provisioner.discovery.lean_scapy import MAKERS

# isort: split
import scapy.data
from scapy.config import conf
from scapy.error import Scapy_Exception
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP

__all__ = ["ARP", "BOOTP", "DHCP", "DNS", "IP", "UDP", "Scapy_Exception"]

del sys.modules[MAKERS]
conf.manufdb = scapy.data.MANUFDB = scapy.data.ManufDA()  # where Wireshark is installed it was read from there all the same
