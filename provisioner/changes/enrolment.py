"""Writes of enrolment: windows, the warehouse, claim codes, and taking in a phone that was seen, with what nobody has to say."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from provisioner.changes.phones import LineInput, PhoneInput
from provisioner.changes.swapping import SwapWrites
from provisioner.changes.unit import Unit
from provisioner.core.enrolment import free_number, pool_bounds
from provisioner.core.mac import Mac
from provisioner.core.settings_check import text_mistakes
from provisioner.errors import InputError, NotFound
from provisioner.models import department, extension, phone, phone_line
from provisioner.models_enrolment import claim_code, enrolment_window, newcomer, warehouse
from provisioner.places import SiteFinder
from provisioner.records import PhoneRecord, SiteRecord
from provisioner.records_enrolment import WindowRecord
from provisioner.secrets import token_digest

CODE_DIGITS = 8
"""Few enough to be dialled, too many to be guessed with the tries that a waiting phone has."""
LONGEST_WINDOW_MIN = 24 * 60
MOST_IN_WINDOW = 1_000
MOST_CODES = 500
MOST_IN_WAREHOUSE = 50_000


@dataclass(frozen=True, slots=True)
class Stocked:
    """A phone for the warehouse."""

    mac: Mac
    model: str
    note: str = ""


class EnrolmentWrites(SwapWrites):
    """Takes phones in."""

    def open_window(self, actor: str, site: str, minutes: int, phones: int) -> WindowRecord:
        """Lets unlisted phones of a site in, for so long and so many. One that is open begins anew."""
        mistakes = {}
        if not 1 <= minutes <= LONGEST_WINDOW_MIN:
            mistakes["minutes"] = f"1 to {LONGEST_WINDOW_MIN} minutes are needed"
        if not 1 <= phones <= MOST_IN_WINDOW:
            mistakes["phones"] = f"1 to {MOST_IN_WINDOW} phones are needed"
        with self.unit(actor) as unit:
            if self._place(unit, site).enrolment != "window":
                mistakes["site"] = "the enrolment of this site is not window: change that first"
            if mistakes:
                raise InputError(mistakes)
            row = {"opened_at": unit.at, "closes_at": unit.at + minutes * 60.0, "most": phones, "taken": 0, "opened_by": actor}
            unit.connection.execute(enrolment_window.delete().where(enrolment_window.c.site == site))
            unit.connection.execute(enrolment_window.insert().values(site=site, **row))
            self._judge_again(unit)
            unit.reindex_part("sites")
            unit.log("window.open", site, None, {"minutes": minutes, "phones": phones})
            return WindowRecord(site=site, opened_at=unit.at, closes_at=unit.at + minutes * 60.0, most=phones, taken=0, opened_by=actor)

    def close_window(self, actor: str, site: str, why: str = "") -> None:
        """Closes a site's window. Raises ``NotFound`` where none is open."""
        with self.unit(actor) as unit:
            if not unit.connection.execute(enrolment_window.delete().where(enrolment_window.c.site == site)).rowcount:
                raise NotFound({"site": f"no window is open at {site[:64]}"})
            unit.reindex_part("sites")
            unit.log("window.close", site, None, {"why": why} if why else None)

    def add_to_warehouse(self, actor: str, stock: Sequence[Stocked]) -> int:
        """Keeps phones that are taken in where they are first plugged in. All of them, or ``InputError`` with every wrong one."""
        with self.unit(actor) as unit:
            mistakes = self._stock_mistakes(unit, stock)
            if mistakes:
                raise InputError(mistakes)
            rows = [{"mac": item.mac, "model": item.model, "note": item.note, "added_at": unit.at} for item in stock]
            if rows:
                unit.connection.execute(warehouse.insert(), rows)
            self._judge_again(unit)
            unit.reindex_part("warehouse")
            unit.log("warehouse.add", f"{len(rows)} phones", None, {"phones": len(rows)})
            return len(rows)

    def remove_from_warehouse(self, actor: str, mac: Mac) -> None:
        """Forgets a phone of the warehouse."""
        with self.unit(actor) as unit:
            if not unit.connection.execute(warehouse.delete().where(warehouse.c.mac == mac)).rowcount:
                raise NotFound({"mac": f"{mac.colons} is not in the warehouse"})
            unit.reindex_part("warehouse")
            unit.log("warehouse.remove", mac, None, None)

    def make_claim_code(self, actor: str, number: str, minutes: int) -> tuple[str, float]:
        """Makes a code that, dialled on a waiting phone, puts the extension on it; returns it and when it ends. It is shown this once."""
        code = "".join(secrets.choice("0123456789") for _ in range(CODE_DIGITS))
        with self.unit(actor) as unit:
            if not 1 <= minutes <= LONGEST_WINDOW_MIN:
                raise InputError({"minutes": f"1 to {LONGEST_WINDOW_MIN} minutes are needed"})
            if self.store.extension(number, unit.connection) is None:
                raise InputError({"extension": f"there is no extension {number[:32]}"})
            gone = sa.or_(claim_code.c.expires_at <= unit.at, claim_code.c.extension == number)
            unit.connection.execute(claim_code.delete().where(gone))
            if (unit.connection.execute(sa.select(sa.func.count()).select_from(claim_code)).scalar() or 0) >= MOST_CODES:
                raise InputError({"extension": f"{MOST_CODES} codes are waiting to be dialled: more would make one of them easy to guess"})
            row = {"extension": number, "made_at": unit.at, "expires_at": unit.at + minutes * 60.0, "made_by": actor}
            unit.connection.execute(claim_code.insert().values(digest=token_digest(code), **row))
            unit.log("claim_code.make", number, None, {"minutes": minutes})
        return code, unit.at + minutes * 60.0

    def claim_by_code(self, mac: Mac, code: str, given: PhoneInput) -> PhoneRecord | None:
        """Puts the code's extension on the phone that dialled it, in the name of who made the code; None where nobody made it.

        A listed phone that has the extension is let in again as it is. Raises ``InputError`` where it has others: whoever may claim a phone
        for himself must not get the files of somebody else's.
        """
        with self.unit("claim") as unit:
            valid = sa.and_(claim_code.c.digest == token_digest(code), claim_code.c.expires_at > unit.at)
            found = unit.connection.execute(sa.select(claim_code).where(valid)).first()
            if found is None:
                unit.connection.execute(newcomer.update().where(newcomer.c.mac == mac).values(wrong_codes=newcomer.c.wrong_codes + 1))
                return None
            unit.connection.execute(claim_code.delete().where(claim_code.c.digest == found.digest))
            own = replace(unit, actor=found.made_by)
            own.log("claim_code.use", found.extension, None, {"mac": mac})
            listed = self.store.phone(mac, unit.connection)
            if listed is None:
                return self._adopted(own, mac, replace(given, lines=(LineInput(1, found.extension),)))
            return self._let_in_again(own, listed, found.extension)

    def adopt_phone(self, actor: str, mac: Mac, given: PhoneInput, peer: str = "", window: str = "") -> PhoneRecord:
        """Lists a phone that was seen; what is not said is chosen: the site by its address, an extension from that site's pool.

        ``window`` names the site whose window it comes in by, which counts it. Raises as ``create_phone``.
        """
        with self.unit(actor) as unit:
            site = given.site or SiteFinder(self.store.sites(unit.connection)).site_of(peer) or "default"
            if window:
                self._through_window(unit, window)
            return self._adopted(unit, mac, replace(given, site=site))

    def _adopted(self, unit: Unit, mac: Mac, given: PhoneInput) -> PhoneRecord:
        site = self._place(unit, given.site or "default")
        stocked = unit.connection.execute(sa.select(warehouse).where(warehouse.c.mac == mac)).first()
        if given.model is None and stocked is not None:
            given = replace(given, model=stocked.model)
        if given.lines is None and site.pool:
            given = replace(given, lines=(LineInput(1, self._from_pool(unit, site)),))
        record = self.add_phone(unit, mac, replace(given, site=site.name))
        if stocked is not None:
            unit.connection.execute(warehouse.delete().where(warehouse.c.mac == mac))
            unit.reindex_part("warehouse")
        unit.connection.execute(newcomer.update().where(newcomer.c.mac == mac).values(judged_at=unit.at, outcome="it was taken in"))
        return record

    def _let_in_again(self, unit: Unit, listed: PhoneRecord, number: str) -> PhoneRecord:
        if number not in {line.extension for line in listed.lines}:
            why = f"{listed.mac.colons} is listed without {number}: put it on a line of the phone first, or let the phone in again as it is"
            raise InputError({"extension": f"{why} ('provisioner phone reopen {listed.mac}')"})
        return self._opened_again(unit, listed.mac)

    def _from_pool(self, unit: Unit, site: SiteRecord) -> str:
        """Returns an extension that no phone has and that is of no other site, made where it is not there yet.

        Raises ``InputError`` where the pool is used up.
        """
        first, last = pool_bounds(site.pool)
        on_lines = sa.select(phone_line.c.extension).where(phone_line.c.extension.between(first, last))
        called = sa.select(department.c.number).where(department.c.number.between(first, last))
        own = ("", site.name)
        elsewhere = sa.select(extension.c.number).where(extension.c.number.between(first, last), extension.c.site.not_in(own))
        taken = {number for query in (on_lines, called, elsewhere) for number in unit.connection.execute(query).scalars()}
        number = free_number(site.pool, taken)
        if number is None:
            raise InputError(
                {
                    "lines": f"every extension of the pool {site.pool} of {site.name} is on a phone or of another site: widen it, or say which one"
                }
            )
        if unit.connection.execute(sa.select(extension.c.number).where(extension.c.number == number)).first() is None:
            self.add_extension(unit, number, {})
        return number

    def _through_window(self, unit: Unit, site: str) -> None:
        """Counts a phone that comes in; closes the window behind the last one. Raises ``InputError`` where it is closed."""
        where = enrolment_window.c.site == site
        row = unit.connection.execute(sa.select(enrolment_window).where(where)).first()
        window = WindowRecord(**row._mapping) if row is not None else None
        if window is None or not window.is_open(unit.at):
            raise InputError({"site": f"the window of {site} is closed"})
        unit.connection.execute(enrolment_window.update().where(where).values(taken=window.taken + 1))

    def _stock_mistakes(self, unit: Unit, stock: Sequence[Stocked]) -> dict[str, str]:
        there = set(unit.connection.execute(sa.select(warehouse.c.mac)).scalars())
        listed = set(unit.connection.execute(sa.select(phone.c.mac)).scalars())
        mistakes: dict[str, str] = {}
        seen: set[Mac] = set()
        for at, item in enumerate(stock):
            if item.mac in listed:
                mistakes[f"{at}.mac"] = f"phone {item.mac.colons} is listed already"
            elif item.mac in there or item.mac in seen:
                mistakes[f"{at}.mac"] = f"{item.mac.colons} is in the warehouse already" if item.mac in there else "it is there twice"
            if self.store.catalogue.model(item.model) is None:
                mistakes[f"{at}.model"] = f"the catalogue has no model {item.model[:60]}; 'provisioner check --models' lists them"
            mistakes |= text_mistakes(f"{at}.note", item.note, 128)
            seen.add(item.mac)
        if len(there) + len(stock) > MOST_IN_WAREHOUSE:
            mistakes[""] = f"the warehouse holds {MOST_IN_WAREHOUSE} phones at the most"
        return mistakes

    def _judge_again(self, unit: Unit) -> None:
        """Has the worker look at every newcomer anew: what was refused a moment ago may be let in now."""
        unit.connection.execute(newcomer.update().values(judged_at=None))

    def _place(self, unit: Unit, name: str) -> SiteRecord:
        record = self.store.site(name, unit.connection)
        if record is None:
            raise NotFound({"site": f"there is no site {name[:64]}"})
        return record
