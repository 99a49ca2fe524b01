"""An office to look at: phones of three makers at two sites, in every kind of state that a page has to show."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from pbx_sync.fake import FakePBX
from pbx_sync.state import Contact
from provisioner.backup_folder import folder_of
from provisioner.backups import write_backup
from provisioner.changes import KeyInput, LayoutKeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.models import fetch, phone, served_file, sighting
from provisioner.wiring import Installation
from provisioner.worker import Worker
from tests.calls import add_call
from tests.engines import Clock

BACKUP = "provisioner-20261126T023000Z.tar.gz"
PASSWORD = "a long enough password"
PEOPLE = ("Sok Dara", "Nguyễn Thị Hoa", "Jan de Vries", "Aino Virtanen", "Bopha Chan", "Trần Văn Minh", "Sanne Bakker", "Mikko Korhonen")
MODELS = ("yealink/t46u", "grandstream/gxp2170", "polycom/vvx411", "yealink/t54w")

AGENTS = (
    "Yealink SIP-T46U 108.86.0.90",
    "Grandstream GXP2170 1.0.11.79",
    "PolycomVVX-VVX_411-UA/6.4.3.1001",
    "Yealink SIP-T54W 96.86.0.100",
)
"""How the phones of ``MODELS`` call themselves."""


def mac_of(number: int) -> Mac:
    return Mac(f"{('805ec0', '000b82', '64167f', '805ec0')[number % 4]}{0x0A1000 + number:06x}")


@dataclass
class Office:
    """An installation with a worker that is stepped by the test, and a PBX in memory."""

    installation: Installation
    pbx: FakePBX = field(default_factory=FakePBX)

    def __post_init__(self) -> None:
        self.timer = Clock(1000.0)
        self.worker = Worker(self.installation.store, self.installation.renderer, self.pbx, time.time, self.timer)

    def drain(self) -> None:
        """The worker does all that there is to do, and looks at the PBX anew."""
        self.timer.now += 10
        self.worker.drain(1000)

    def people(self) -> None:
        for name, role, more in (
            ("admin", "admin", {}),
            ("tech", "technician", {"sites": ["Hanoi"]}),
            ("viewer", "viewer", {}),
            ("hoa", "user", {"extensions": ["1002"]}),
        ):
            self.installation.changes.create_user("tests", name, {"role": role, "password": PASSWORD, **more})
        self.installation.changes.keep_codes_setup("admin", b"no secret, but twenty")

    def furnish(self) -> None:
        changes = self.installation.changes
        changes.create_site("tests", "Hanoi", {"settings": {"timezone": "Asia/Ho_Chi_Minh"}})
        changes.put_group("tests", "Reception", {"ring_volume": 9} if "ring_volume" in self.installation.catalogue.settings else {})
        for number, name in enumerate(PEOPLE, 1001):
            changes.create_extension("tests", str(number), display_name=name, department="Sales" if number % 2 else "Support")
        changes.put_department("tests", "Sales", "700", 1)
        desk = [LayoutKeyInput(9, "speed_dial", "0800", "Help desk"), LayoutKeyInput(8, "blf", label="Colleague", slot=True)]
        changes.put_layout("tests", "Sales", desk)
        for number in range(len(PEOPLE)):
            keys = [KeyInput(key, "blf", str(1000 + key)) for key in range(3, 7)] if number < 3 else []
            site = "Hanoi" if number % 3 == 1 else "default"
            given = PhoneInput(model=MODELS[number % 4], site=site, lines=[LineInput(1, str(1001 + number))], keys=keys)
            changes.create_phone("tests", mac_of(number), given)
        self.people()
        self.drain()
        for number in range(5):
            self.fetched(mac_of(number))
        self.register([1001, 1003, 1004])
        self.seen()
        with self.installation.database.write() as connection:
            broken = phone.update().where(phone.c.mac == mac_of(7))
            connection.execute(broken.values(error="_accounts.j2 line 12: 'transport' is undefined", error_at=time.time()))
        self.redirected()
        self.called()
        self.backed_up()
        self.told()

    def called(self) -> None:
        """Calls of every outcome; the newest was recorded."""
        now = time.time()
        rows = [
            ("0241234567", "Gemeente Aken", "700", "1003", "answered", 9, 247),
            ("1004", PEOPLE[3], "1002", "", "mailbox", 25, 31),
            ("1001", PEOPLE[0], "1003", "", "missed", 18, 0),
            ("1003", PEOPLE[2], "1005", "", "busy", 0, 0),
            ("", "", "1001", "", "refused", 2, 0),
            ("1002", PEOPLE[1], "1008", "", "failed", 0, 0),
            ("1001", PEOPLE[0], "1002", "1002", "answered", 4, 3753),
        ]
        for at, (caller, name, called, taker, outcome, rang, talked) in enumerate(rows):
            began = now - 90000.0 + 14000 * at
            took = began + rang if outcome in ("answered", "mailbox") else None
            add_call(
                self.installation.database, began, caller=caller, caller_name=name, called=called, answered_by=taker, outcome=outcome,
                answered_at=took, ended_at=began + rang + talked, talk_s=talked, parties=tuple({caller, called, taker} - {""}),
                recording=f"{at}.wav" if at == len(rows) - 1 else "", recording_bytes=60048 if at == len(rows) - 1 else 0,
            )  # fmt: skip

    def told(self) -> None:
        """People and programs that are told: one each that it works for, one that it does not, and one that is paused."""
        changes, store = self.installation.changes, self.installation.store
        found = {}
        for address, more in (
            ("office@example.com", {}),
            ("hanoi@example.com", {"site": "Hanoi", "language": "vi", "events": ["call.emergency", "lockstep.*", "phone.*", "phone.swap"]}),
            ("away@example.com", {"enabled": False, "events": ["*"]}),
        ):
            found[address] = changes.create_mail_recipient("tests", {"address": address, **more}).id
        changes.note_mail(found["office@example.com"], store.newest_change())
        why = "the mail server mail.example.com:587 refuses user and password (535): see PROVISIONER_MAIL_USER"
        changes.note_mail_failed(found["hanoi@example.com"], why, 300.0)
        for name, events in (("helpdesk", ["*"]), ("billing", ["extension.*", "phone.*"]), ("old", ["site.*"])):
            changes.create_webhook("tests", name, {"url": f"https://{name}.example.org/provisioner?key=of-theirs", "events": events})
        for name in ("helpdesk", "billing", "helpdesk", "billing", "helpdesk"):
            changes.test_webhook("tests", name)
        rows = [row.id for name in ("billing", "helpdesk") for row in store.deliveries(name)]
        changes.note_delivery(rows[1], taken=False, status=503, error="it answered 503", pause_s=None)
        changes.note_delivery(rows[0], taken=False, status=None, error="it did not answer within 5 s", pause_s=120.0)
        changes.note_delivery(rows[4], taken=False, status=503, error="it answered 503", pause_s=30.0)
        changes.note_delivery(rows[3], taken=True, status=204, error="", pause_s=None)
        changes.update_webhook("tests", "old", {"enabled": False})

    def backed_up(self) -> None:
        """One backup is there, a later one cannot be read, and the last try failed."""
        settings, changes = self.installation.settings, self.installation.changes
        folder = folder_of(settings)
        folder.mkdir(mode=0o700)
        write_backup(settings, Path("none.toml"), folder / BACKUP)
        (folder / "provisioner-20261125T141503Z-asked.tar.gz").write_bytes(b"no archive")
        changes.end_backup(changes.begin_backup(None, ""), f"a backup needs 512 MB in {folder}, and 80 are free: make room there")

    def redirected(self) -> None:
        """A maker's redirect service has one phone, does not answer for another, and will not forget one that left the list."""
        changes, store = self.installation.changes, self.installation.store
        fields = {"access_key_id": "key-id-1", "access_key_secret": "key-secret-1", "server_id": "srv-1"}
        changes.set_redirect_account("tests", "yealink", "https://service.example", fields, tuple(fields))
        left, leaving = Mac("805ec0bb0001"), Mac("805ec0bb0002")
        for mac in (left, leaving):
            changes.create_phone("tests", mac, PhoneInput(model=MODELS[0]))
        for mac in (mac_of(0), mac_of(3), left, leaving):
            changes.ask_redirect("tests", mac, "https://prov.example/p/abcdefghij/", "")
        if (there := store.redirect(mac_of(0))) and (away := store.redirect(mac_of(3))):
            changes.note_redirect(there, "registered", "", None)
            changes.note_redirect(away, "asked", "service.example answers 503; it is asked again later", time.time() + 3600)
        for mac in (left, leaving):
            changes.delete_phone("tests", mac)
        if refused := store.redirect_removal(left):
            changes.note_redirect_removal(refused, "refused", 'service.example answers 403: {"error": "delDevices forbidden"}', None)

    def fetched(self, mac: Mac) -> None:
        """The phone takes every live file."""
        now = time.time()
        with self.installation.database.write() as connection:
            for file in self.installation.store.live_files([mac]):
                row = {"mac": mac, "name": file.name}
                connection.execute(served_file.delete().where(served_file.c.mac == mac, served_file.c.name == file.name))
                connection.execute(served_file.insert().values(**row, sha256=file.sha256, at=now, since=now))
                about = {"transport": "http", "peer": "192.0.2.31", "user_agent": "Yealink SIP-T46U 108.86.0.90", "method": "GET"}
                connection.execute(
                    fetch.insert().values(**row, **about, at=now, reason="served", sha256=file.sha256, bytes=file.size, duration_ms=1.4)
                )

    def register(self, numbers: list[int]) -> None:
        """The extensions' phones register now, after whatever they fetched."""
        at = time.time() + 1
        self.pbx.registrations = [
            Contact(str(number), f"sip:{number}@192.0.2.31", AGENTS[(number - 1001) % 4], at, "192.0.2.31") for number in numbers
        ]
        self.drain()

    def seen(self, mac: str = "805ec0bbccdd") -> None:
        now = time.time()
        row = {"vendor": "yealink", "model": "T46U", "firmware": "108.86.0.90", "peer": "192.0.2.77"}
        with self.installation.database.write() as connection:
            connection.execute(sighting.insert().values(mac=mac, **row, first_seen=now - 600, last_seen=now, count=4, conflict=""))
