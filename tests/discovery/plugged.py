"""Phones fresh from their boxes, plugged in at once: ``python -m tests.discovery.plugged '[{"model", "mac", "by", "interface"}, ...]'``.

Each finds a server by one of the ways that phones have, fetches from it as its vendor's firmware does, lives by what it read - it registers, and
comes again when it is told to - until the process is ended. Whenever anything became of one of them, a line of JSON says how all of them are.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from tests.discovery.finding import WAYS, Socket
from tests.phones.device import Device
from tests.phones.network import Network

LOOK_S = 0.02


@dataclass
class Plugged:
    """One phone, and what became of it."""

    network: Network
    socket: Socket
    way: str
    found: str = ""
    is_over: bool = False
    """It has looked for a server, and read what was there."""
    device: Device | None = None

    def run(self) -> None:
        self.found = WAYS[self.way](self.socket)
        if self.found:
            self.device = Device(self.network, self.socket.model, self.socket.mac, self.found, host=self.socket.address()).boot()
        self.is_over = True

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"found": self.found, "is_over": self.is_over}
        if self.device is not None:
            lines = [line.number for line in self.device.config.lines]
            state |= {"url": self.device.config.url, "lines": lines, "is_registered": self.device.is_registered}
            state |= {"asked": self.device.asked, "events": len(self.device.events), "failures": self.device.failures}
        return state


def main() -> None:
    with Network() as network:
        phones = [Plugged(network, Socket(each["model"], each["mac"], each["interface"]), each["by"]) for each in json.loads(sys.argv[1])]
        tell({"at": time.time()})
        for phone in phones:
            threading.Thread(target=phone.run, name=phone.socket.mac, daemon=True).start()
        last = ""
        while True:
            states = {phone.socket.mac: phone.state() for phone in phones}
            if json.dumps(states) != last:
                last = json.dumps(states)
                tell({"phones": states})
            time.sleep(LOOK_S)


def tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
