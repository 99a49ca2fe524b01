"""The step that rolls firmware out: share by share, each only after the one before came back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from provisioner.changes.firmware import FirmwareWrites
from provisioner.core.catalogue import parse_user_agent
from provisioner.core.mac import Mac
from provisioner.core.rollout import Pin, Release, next_move
from provisioner.core.values import UserAgent
from provisioner.store import Store
from provisioner.store.firmware import Seen

log = logging.getLogger("provisioner.worker")

EVERY_S = 2.0


class Rollout:
    """Looks at every pin now and then, and moves each by one step."""

    def __init__(self, store: Store, writes: FirmwareWrites, clock: Callable[[], float], timer: Callable[[], float]) -> None:
        self._store = store
        self._writes = writes
        self._clock = clock
        self._timer = timer
        self._next = -1.0
        self.counters: Mapping[str, float] = {}
        """Phones that were given an image, that run it, and roll-outs that stopped."""

    def step(self) -> int:
        """Returns how many phones were given, or lost, an image."""
        if self._timer() < self._next:
            return 0
        self._next = self._timer() + EVERY_S
        pins = self._store.firmware_pins()
        done = self._roll(pins) if pins else 0
        self.counters = {f"firmware_{name}": float(count) for name, count in self._store.firmware_counts().items()} if pins else {}
        return done

    def _roll(self, pins: Sequence[Pin]) -> int:
        phones = self._nearest(pins)
        released = self._store.firmware_releases()
        if self._confirm(pins, released):
            released = self._store.firmware_releases()
        stray = [mac for mac, item in released.items() if mac not in phones or phones[mac].target != item.target]
        done = self._writes.drop_releases(stray) if stray else 0
        for pin in pins:
            mine = [mac for mac, nearest in phones.items() if nearest.target == pin.target]
            have = {mac: item for mac, item in released.items() if item.target == pin.target}
            move = next_move(pin, self._fitting(pin, mine), have, self._clock())
            if move.release or move.state or move.share is not None:
                done += self._writes.move_pin(pin, move)
            if move.state == "stopped":
                log.error("event=rollout_stopped target=%s reason=%s", pin.target, move.reason)
        return done

    def _nearest(self, pins: Sequence[Pin]) -> dict[Mac, Pin]:
        """Returns the pin that counts for each phone: the one of its own, then of its group, then of its model."""
        near = sorted(pins, key=lambda pin: -pin.closeness)
        found = {}
        for mac, (model, group) in self._store.firmware_targets().items():
            pin = next((pin for pin in near if pin.concerns(mac, model, group)), None)
            if pin is not None:
                found[mac] = pin
        return found

    def _confirm(self, pins: Sequence[Pin], released: Mapping[Mac, Release]) -> bool:
        """Notes the phones that came back: registered again since, with the new version in the User-Agent. Returns whether any did.

        A phone that never registers (no lines, or no PBX here) is believed by its newest fetch.
        """
        versions = {pin.target: pin.version for pin in pins}
        waiting = {mac: item for mac, item in released.items() if item.confirmed_at is None}
        registers = self._store.phones_that_register(waiting)
        back = []
        for mac, seen in self._store.last_seen(waiting).items():
            item = waiting[mac]
            facts = [fact for fact in seen if fact.at >= item.released_at and self._said(fact, mac, versions[item.target])]
            if facts and (mac not in registers or any(fact.by_registration for fact in facts)):
                back.append(mac)
        if back:
            self._writes.confirm_releases(back)
        return bool(back)

    def _said(self, seen: Seen, mac: Mac, version: str) -> bool:
        agent = self._agent(seen)
        return agent is not None and agent.version == version and agent.mac in (None, mac)

    def _agent(self, seen: Seen) -> UserAgent | None:
        return parse_user_agent(self._store.catalogue, seen.user_agent)

    def _fitting(self, pin: Pin, macs: Sequence[Mac]) -> list[Mac]:
        """Returns the phones that have the hardware of the pin, as far as their User-Agent tells; a part number is in the name they ask for."""
        if not pin.hardware:
            return list(macs)
        seen = self._store.last_seen(macs)
        said = {mac: {agent.hardware for fact in facts if (agent := self._agent(fact)) and agent.hardware} for mac, facts in seen.items()}
        return [mac for mac in macs if not said.get(mac) or pin.hardware in said[mac]]
