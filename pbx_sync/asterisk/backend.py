"""An Asterisk as a PBX that is kept in lockstep: what ``pbx_sync.backend`` asks for, over the manager interface.

Every write is a row in AstDB; nothing is reloaded. What was there before is read first, so that an object of somebody else is left
alone, only rows that differ are written, and what Asterisk then cannot load goes back to what it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.ami import AMI, Action, Reply
from pbx_sync.asterisk.astdb import Change, read_rows, write_rows
from pbx_sync.asterisk.hotdesks import AsteriskHotDesks
from pbx_sync.asterisk.logins import FailedLogin
from pbx_sync.asterisk.mailboxes import Mailboxes, mailbox_of
from pbx_sync.asterisk.objects import ENDPOINT, MARK, NOTIFIER_ROW, Profile, Rows, problem, read_back, rows_of
from pbx_sync.asterisk.observer import Observer
from pbx_sync.asterisk.proof import fault
from pbx_sync.asterisk.registrations import registrations_of_endpoint, registrations_of_tree
from pbx_sync.asterisk.testcalls import AsteriskTestCalls
from pbx_sync.asterisk.waiting import AsteriskWaitingRoom
from pbx_sync.backend import PBXUnavailable
from pbx_sync.emergencies import EmergencyCall
from pbx_sync.plan import Plan
from pbx_sync.state import About, Contact, Endpoint, PBXObject, State

NOT_OURS = "an object of this number is there that is not ours"
FEW = 50
"""Of so many extensions the registrations are asked for one by one; of more, all are read at once."""
TIMEOUT_S = 5.0
"""An Asterisk that is silent for so long hangs. A busy one answers within a second."""


class AsteriskBackend:
    """Keeps an Asterisk. ``mailboxes`` are the bundled one's; those of another are its owner's business."""

    def __init__(self, address: AsteriskAddress, mailboxes: Mailboxes | None = None, profile: Profile | None = None) -> None:
        self._ami = AMI(address, TIMEOUT_S)
        self._observer = Observer(address, TIMEOUT_S)
        self._mailboxes = mailboxes
        self._profile = profile or Profile()
        self.waiting_room = AsteriskWaitingRoom(self._ask)
        self.test_calls = AsteriskTestCalls(self._ask)
        self.hot_desks = AsteriskHotDesks(self._ask)

    @property
    def is_ours(self) -> bool:
        """Whether it is the bundled one, whose dialplan and mailboxes are ours."""
        return self._mailboxes is not None

    def read(self, numbers: Collection[str] | None = None) -> State:
        rows = read_rows(self._ask, numbers)
        found = {number: read_back(number, rows[number], self._profile) for number in sorted(rows)}
        return self._with_mailboxes({number: item for number, item in found.items() if item is not None}, numbers)

    def apply(self, plan: Plan) -> dict[str, str]:
        items = {item.number: item for item in (*plan.create, *plan.update)}
        refused = {number: reason for number, item in items.items() if (reason := problem(item, self._profile))}
        wanted = {number: rows_of(item, self._profile) for number, item in items.items() if number not in refused}
        wanted |= {number: {} for number in plan.delete}
        before = read_rows(self._ask, wanted.keys())
        changes = {number: Change(before[number], rows) for number, rows in wanted.items() if number in before}
        for number in self._foreign(changes):
            if changes.pop(number).after:
                refused[number] = NOT_OURS
        self._forget({number: change.before for number, change in changes.items() if (ENDPOINT, number) not in change.after})
        refused |= self._write(changes)
        self._keep_mailboxes([items[number] for number in changes if number in items and number not in refused])
        return refused

    def notify(self, number: str, event: str, uris: Collection[str] | None = None) -> int:
        known = self._observer.uris_of(number)
        reached = [uri for uri in known if uris is None or uri in uris]
        if not reached:
            return 0
        header = {"Variable": f"Event={event}"}
        if len(reached) == len(known):
            replies = self._ask([Action("PJSIPNotify", {"Endpoint": number, **header})])
            return len(reached) if replies[0].is_success else 0
        self._make_notifier()
        replies = self._ask([Action("PJSIPNotify", {"URI": uri, **header}) for uri in reached])
        return sum(reply.is_success for reply in replies)

    def _make_notifier(self) -> None:
        """Makes the endpoint by which addresses are told, unless the owner of the Asterisk has one of that name: it will do."""
        (family, name), row = NOTIFIER_ROW
        place = {"Family": family, "Key": name}
        if self.is_ours or not self._ask([Action("DBGet", place)])[0].items:
            self._ask([Action("DBPut", {**place, "Val": row})])

    def contacts(self) -> Sequence[Contact]:
        return self._observer.snapshot().contacts

    def busy(self) -> frozenset[str]:
        return self._observer.snapshot().busy

    def about(self) -> About:
        (settings,) = self._ask([Action("CoreSettings")])
        watched = self._observer.snapshot()
        return About(f"Asterisk {settings.fields.get('AsteriskVersion', '')}", watched.booted_at, watched.channels)

    def failed_logins(self) -> Mapping[str, FailedLogin]:
        """Returns number -> wrong passwords since the last right one: a phone that is locked out. What was seen since the start."""
        return self._observer.failed_logins()

    def watch_emergencies(self, numbers: Collection[str]) -> None:
        self._observer.watch_numbers(numbers)

    def emergencies(self) -> Sequence[EmergencyCall]:
        dialled = self._observer.take_dialled()
        asked = [Action("Getvar", {"Channel": item.channel, "Variable": "CHANNEL(pjsip,remote_addr)"}) for item in dialled]
        try:
            addresses = [reply.fields.get("Value", "") for reply in self._ask(asked)] if asked else []
        except PBXUnavailable:  # gone since: that somebody dialled is what matters
            addresses = [""] * len(dialled)
        return [
            EmergencyCall(item.uid, item.extension, item.number, address, item.at) for item, address in zip(dialled, addresses, strict=True)
        ]

    def close(self) -> None:
        self._observer.close()
        self._ami.close()
        if self._mailboxes is not None:
            self._mailboxes.close()

    def _with_mailboxes(self, objects: dict[str, PBXObject], numbers: Collection[str] | None) -> State:
        if self._mailboxes is None:
            return objects
        there = self._mailboxes.read(numbers)
        for number, item in objects.items():
            if isinstance(item, Endpoint) and (found := mailbox_of(item).deviations(there.get(number))):
                objects[number] = replace(item, deviations=item.deviations + found)
        return objects

    def _foreign(self, changes: Mapping[str, Change]) -> set[str]:
        """Returns the numbers of objects that somebody else made: rows without our mark, or an endpoint from a file."""
        unmarked = {number: change for number, change in changes.items() if (MARK, number) not in change.before}
        foreign = {number for number, change in unmarked.items() if change.before}
        free = [number for number, change in unmarked.items() if change.after and number not in foreign]
        return foreign | {number for number, reply in self._shown(free).items() if reply.is_success}

    def _keep_mailboxes(self, done: Sequence[PBXObject]) -> None:
        """Writes the mailboxes that are not yet as the extensions say."""
        if self._mailboxes is not None:
            there = self._mailboxes.read([item.number for item in done])
            self._mailboxes.write([item for item in done if isinstance(item, Endpoint) and mailbox_of(item) != there.get(item.number)], ())

    def _forget(self, gone: Mapping[str, Rows]) -> None:
        """Deletes what hangs on extensions that go: mailboxes and registrations. Their messages stay on disk."""
        if self._mailboxes is not None:
            self._mailboxes.write((), gone.keys())
        names = self._registered([number for number, rows in gone.items() if (ENDPOINT, number) in rows])
        self._ask([Action("DBDel", {"Family": "registrar/contact", "Key": name}) for name in names])

    def _registered(self, numbers: Sequence[str]) -> list[str]:
        """Returns the keys of the numbers' registrations, and has the observer look at them anew."""
        self._observer.look_at(numbers)
        if len(numbers) <= FEW:
            return [name for reply in self._shown(numbers).values() for name in registrations_of_endpoint(reply)]
        (reply,) = self._ask([Action("DBGetTree", {"Family": "registrar/contact"})])
        found = registrations_of_tree(reply)
        return [name for number in numbers for name in found.get(number, ())]

    def _write(self, changes: Mapping[str, Change]) -> dict[str, str]:
        """Writes the rows, has Asterisk load them, and puts back those of which it cannot. Returns number -> reason.

        Raises ``PBXUnavailable`` where rows are gone again that it had taken: that is no refusal, somebody empties its database.
        """
        refused = write_rows(self._ask, changes)
        written = [number for number, change in changes.items() if (ENDPOINT, number) in change.after and number not in refused]
        for number, reply in self._shown(written).items():
            if reason := fault(number, changes[number].after, reply):
                refused[number] = reason
        now = read_rows(self._ask, refused)
        if gone := [number for number in written if number in refused and (ENDPOINT, number) not in now[number]]:
            raise PBXUnavailable(f"Asterisk had taken {len(gone)} extensions, {gone[0]} the first of them, and they are gone again")
        write_rows(self._ask, {number: Change(now[number], changes[number].before) for number in refused})
        return refused

    def _shown(self, numbers: Sequence[str]) -> dict[str, Reply]:
        """Returns number -> what Asterisk itself says of the endpoint."""
        return dict(zip(numbers, self._ask([Action("PJSIPShowEndpoint", {"Endpoint": number}) for number in numbers]), strict=True))

    def _ask(self, actions: Sequence[Action]) -> list[Reply]:
        try:
            return self._ami.ask_all(actions)
        except PBXUnavailable as error:
            self._observer.doubt(str(error))
            raise
