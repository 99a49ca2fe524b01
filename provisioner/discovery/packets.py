"""The classes of scapy that are used here.

Its table of all the world's makers (50,000 prefixes, 11 MB in every process that imports it) is let go: the catalogue knows those that matter.
"""

from __future__ import annotations

import scapy.data
from scapy.config import conf
from scapy.error import Scapy_Exception
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP

__all__ = ["ARP", "BOOTP", "DHCP", "DNS", "IP", "UDP", "Scapy_Exception"]

conf.manufdb = scapy.data.MANUFDB = scapy.data.ManufDA()
