"""Writes of firmware: what people pin, and what the roll-out does with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from provisioner.changes.unit import Unit, UnitMaker
from provisioner.core.mac import Mac, try_parse
from provisioner.core.rollout import Move, Pin
from provisioner.core.settings_check import text_mistakes
from provisioner.errors import InputError, NotFound
from provisioner.models import phone, phone_group
from provisioner.models_firmware import firmware_pin, firmware_release

ACTOR = "rollout"
"""Under whose name the steps of a roll-out stand in the changes."""
SHARES = (5, 25, 100)
TIMEOUT_S = 3600
_FILE = re.compile(r"(?!.*(?:^|/)\.)[\w.\-(),+ ]+(?:/[\w.\-(),+ ]+)*\Z")


@dataclass(frozen=True, slots=True)
class PinInput:
    """What a person says of a pin."""

    file: str
    version: str
    hardware: str = ""
    shares: Sequence[int] = SHARES
    timeout_s: int = TIMEOUT_S


class FirmwareWrites(UnitMaker):
    """Pins images, takes them off, and moves roll-outs on."""

    firmware_folder: Path = Path()
    """``firmware/`` of the static files."""

    def put_pin(self, actor: str, target: str, given: PinInput, expected: int | None = None) -> Pin:
        """Pins an image for ``target`` (a model, ``model@group``, or a MAC) and begins its roll-out. Raises ``InputError``, ``StaleWrite``."""
        with self.unit(actor) as unit:
            model, group, mac = self._pin_target(unit, target)
            target = mac or target
            mistakes = self._pin_mistakes(given)
            if mistakes:
                raise InputError(mistakes)
            before = self._pin_of(unit, target)
            unit.expect(before.revision if before else 0, expected)
            self._take_pin_off(unit, target)
            values = {
                "target": target, "model": model, "group": group, "mac": mac, "file": given.file, "sha256": _sha256(self.firmware_folder / given.file),
                "version": given.version, "hardware": given.hardware, "shares": list(given.shares), "timeout_s": given.timeout_s,
                "revision": before.revision + 1 if before else 1,
            }  # fmt: skip
            unit.connection.execute(firmware_pin.insert().values(**values))
            unit.log("firmware.pin", target[:64], {"file": before.file} if before else None, {"file": given.file, "version": given.version})
            return self._found_pin(unit, target)

    def delete_pin(self, actor: str, target: str, expected: int | None = None) -> None:
        """Takes a pin off: its phones keep what they run, and are given no image."""
        with self.unit(actor) as unit:
            before = self._found_pin(unit, target)
            unit.expect(before.revision, expected)
            touched = self._take_pin_off(unit, before.target)
            unit.log("firmware.unpin", before.target[:64], {"file": before.file}, None, touched)

    def resume_pin(self, actor: str, target: str) -> Pin:
        """Lets a stopped roll-out go on: the phones that did not come back are waited for once more."""
        with self.unit(actor) as unit:
            before = self._found_pin(unit, target)
            values = {"state": "rolling", "reason": "", "revision": before.revision + 1}
            unit.connection.execute(firmware_pin.update().where(firmware_pin.c.target == before.target).values(**values))
            late = sa.and_(firmware_release.c.target == before.target, firmware_release.c.confirmed_at.is_(None))
            unit.connection.execute(firmware_release.update().where(late).values(released_at=unit.at))
            unit.log("firmware.resume", before.target[:64], {"reason": before.reason}, None)
            return self._found_pin(unit, before.target)

    def move_pin(self, pin: Pin, move: Move) -> int:
        """Does what the roll-out decided, unless somebody changed the pin since; returns how many phones are rendered anew."""
        with self.unit(ACTOR) as unit:
            now = self._pin_of(unit, pin.target)
            if now is None or now.revision != pin.revision:
                return 0
            touched = self._release_image(unit, pin, move.release)
            values = {name: value for name, value in (("share", move.share), ("state", move.state)) if value is not None}
            if values:
                unit.connection.execute(
                    firmware_pin.update().where(firmware_pin.c.target == pin.target).values(**values, reason=move.reason)
                )
            after = {"phones": len(move.release), **values, **({"reason": move.reason} if move.reason else {})}
            unit.log("firmware.step", pin.target[:64], None, after, touched)
            return touched

    def confirm_releases(self, macs: Collection[Mac]) -> None:
        """Notes that these phones were seen to run their version. An observation: nothing is appended to the changes."""
        with self.store.database.write() as connection:
            open_ones = sa.and_(firmware_release.c.mac.in_(sorted(macs)), firmware_release.c.confirmed_at.is_(None))
            connection.execute(firmware_release.update().where(open_ones).values(confirmed_at=self.clock()))

    def drop_releases(self, macs: Collection[Mac]) -> int:
        """Takes images from phones that no pin is for any more; returns how many are rendered anew."""
        with self.unit(ACTOR) as unit:
            unit.connection.execute(firmware_release.delete().where(firmware_release.c.mac.in_(sorted(macs))))
            return unit.rerender(macs)

    def _release_image(self, unit: Unit, pin: Pin, macs: Sequence[Mac]) -> int:
        listed = list(unit.connection.execute(sa.select(phone.c.mac).where(phone.c.mac.in_(macs))).scalars())
        if not listed:
            return 0
        unit.connection.execute(firmware_release.delete().where(firmware_release.c.mac.in_(listed)))
        rows = [{"mac": mac, "target": pin.target, "released_at": unit.at} for mac in listed]
        unit.connection.execute(firmware_release.insert(), rows)
        return unit.rerender(Mac(mac) for mac in listed)

    def _take_pin_off(self, unit: Unit, target: str) -> int:
        here = firmware_release.c.target == target
        macs = [Mac(mac) for mac in unit.connection.execute(sa.select(firmware_release.c.mac).where(here)).scalars()]
        unit.connection.execute(firmware_release.delete().where(here))
        unit.connection.execute(firmware_pin.delete().where(firmware_pin.c.target == target))
        return unit.rerender(macs)

    def _pin_target(self, unit: Unit, target: str) -> tuple[str, str | None, Mac | None]:
        mac = try_parse(target)
        if mac is not None:
            record = self.store.phone(mac, unit.connection)
            if record is None:
                raise InputError({"target": f"phone {mac.colons} is not listed"})
            return record.model, None, mac
        model, _, group = target.partition("@")
        if self.store.catalogue.model(model) is None:
            raise InputError({"target": f"the catalogue has no model {model[:60]}: a model, model@group or a MAC is needed"})
        there = sa.select(phone_group.c.name).where(phone_group.c.name == group)
        if group and unit.connection.execute(there).first() is None:
            raise InputError({"target": f"there is no group {group[:60]}"})
        return model, group or None, None

    def _pin_mistakes(self, given: PinInput) -> dict[str, str]:
        mistakes = {**text_mistakes("version", given.version, 64), **text_mistakes("hardware", given.hardware, 64)}
        if not re.fullmatch(r"\d+(?:\.\d+)+", given.version):
            mistakes["version"] = "the version is needed as the phone says it in its User-Agent, for example 108.86.0.90"
        if len(given.file) > 200 or not _FILE.match(given.file) or not (self.firmware_folder / given.file).is_file():
            mistakes["file"] = f"there is no such file below {self.firmware_folder}"
        shares = list(given.shares)
        if not shares or shares != sorted(set(shares)) or shares[0] < 1 or shares[-1] != 100 or len(shares) > 20:
            mistakes["shares"] = "rising percents are needed, the last one 100, for example 5, 25, 100"
        if not 60 <= given.timeout_s <= 604_800:
            mistakes["timeout_s"] = "60 to 604800 seconds are needed"
        return mistakes

    def _pin_of(self, unit: Unit, target: str) -> Pin | None:
        wanted = try_parse(target) or target
        return next((pin for pin in self.store.firmware_pins(unit.connection) if pin.target == wanted), None)

    def _found_pin(self, unit: Unit, target: str) -> Pin:
        pin = self._pin_of(unit, target)
        if pin is None:
            raise NotFound({"target": f"no firmware is pinned for {target[:64]}"})
        return pin


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
