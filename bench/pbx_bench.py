"""The lockstep with the bundled Asterisk: an edit until phone and PBX have it, with few and with many extensions; filling, checking, registering."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import own as ours
from bench.context import Context
from bench.measure import MB, median, memory, percentile, ratio
from bench.plans import Phone, Plan
from tests.phones.config import LineConfig
from tests.phones.device import FIRMWARES, Device, HTTPServer
from tests.phones.network import Network
from tests.phones.sip import Account, UserAgent

FEW = 10
REGISTERED, AT_ONCE = 2000, 100
EDITED = 8
"""Phones that are edited, each once in its key and once in its extension. Their site lets so many be told at once."""
SITE_PAUSE_S = 2.5
"""A site gets another turn to be told every two seconds: an edit is measured here, not the queue."""
LIMIT_S = 120.0
OPEN_STAGES = {"rendering", "pushing", "promoting"}


@dataclass
class Edits:
    """What edits took, in ms: until the phone could have it and the PBX says it, and until the phone was told."""

    live_ms: list[float] = field(default_factory=list)
    told_ms: list[float] = field(default_factory=list)


@dataclass
class Measured:
    """The figures of one size."""

    label: Edits
    extension: Edits
    push_s: float
    check_s: float
    register_s: float
    registered: int
    rss_bytes: int
    pss_bytes: int


def lockstep(ctx: Context) -> None:
    """Every figure with a handful of extensions and with many, in one run."""
    many = ctx.many_phones
    sizes = {count: _measured(ctx, count) for count in (FEW, many)}
    ctx.report.heading(f"In lockstep with the bundled Asterisk: {FEW} and {many:,} extensions")
    rows = [
        (f"{count:,}", what, median(edits.live_ms), percentile(edits.live_ms, 99), median(edits.told_ms), percentile(edits.told_ms, 99))
        for count, found in sizes.items()
        for what, edits in (("key label", found.label), ("extension", found.extension))
    ]
    ctx.report.table(("extensions", "edit of a", "live and verified, median ms", "p99 ms", "NOTIFY arrived, median ms", "p99 ms"), rows)
    heads = ("extensions", "pushed to an empty PBX, s", "drift check, s", "phones", "registered in, s", "RSS of all, MB", "PSS of all, MB")
    ctx.report.table(
        heads, [(f"{n:,}", f.push_s, f.check_s, f.registered, f.register_s, f.rss_bytes / MB, f.pss_bytes / MB) for n, f in sizes.items()]
    )
    _judge(ctx, sizes[FEW], sizes[many])


def _judge(ctx: Context, few: Measured, many: Measured) -> None:
    for name, small, large in (("label", few.label, many.label), ("extension", few.extension, many.extension)):
        ctx.report.judge(f"PBX {name}", median(large.live_ms))
        sides = median(large.live_ms), median(small.live_ms)
        ctx.report.judge(f"PBX {name} size", ratio(*sides), own=sides[0], peer=sides[1])
    ctx.report.judge("PBX notify", median([*many.label.told_ms, *many.extension.told_ms]))
    ctx.report.judge("PBX push s", many.push_s)
    ctx.report.judge("PBX check s", many.check_s)
    ctx.report.judge("PBX register s", many.register_s if many.registered == REGISTERED else float("nan"))
    ctx.report.judge("PBX memory", many.pss_bytes / MB)


def _measured(ctx: Context, count: int) -> Measured:
    ctx.report.say(f"(seeding {count:,} extensions)")
    data_dir = ctx.scratch(f"pbx-{count}") / "data"
    plan = ours.seed(data_dir, count)
    with ours.start(data_dir, settings=ours.bundled_pbx(data_dir)) as running, Network() as network:
        ours.wait_served(running, plan, limit_s=600.0)
        _until(lambda: ours.call(running, "GET", "/api/v1/pbx")["state"] == "in_lockstep", "the first push", 600.0)
        check_s = _timed(lambda: ours.call(running, "GET", "/api/v1/pbx/plan"))
        push_s = _pushed_s(running, data_dir, count)
        phones = [(phone, _booted(network, running, phone, place)) for place, phone in enumerate(plan.phones[:EDITED])]
        label = _edits(running, phones, lambda phone, number: _edit_label(running, phone, number))
        extension = _edits(running, phones, lambda phone, number: _edit_extension(running, phone, number))
        register_s, registered = _registered(network, running, plan)
        used = memory(running.server.pids())
        network.all([device.stop() for _, device in phones])
    return Measured(label, extension, push_s, check_s, register_s, registered, used.rss_bytes, used.pss_bytes)


def _pushed_s(running: ours.Own, data_dir: Path, count: int) -> float:
    """Returns how long it takes to fill a PBX that was emptied, and to read everything back."""
    ours.wipe_pbx(data_dir)
    began = time.monotonic()
    done = ours.call(running, "POST", "/api/v1/pbx/sync", {"confirm": True})
    if done["create"] != count or done["refused"]:
        raise TimeoutError(f"{done['create']} of {count} extensions were pushed; refused: {len(done['refused'])}")
    return time.monotonic() - began


def _booted(network: Network, running: ours.Own, phone: Phone, place: int) -> Device:
    """Returns a phone that is registered and waits to be told of changes."""
    url = f"http://127.0.0.1:{running.phones_port}/"
    device = Device(network, phone.model, phone.mac, url, number=place, host=f"127.0.2.{place + 1}").boot()
    _wait_in_lockstep(running, device)
    return device


def _stage(running: ours.Own, device: Device) -> str:
    return str(ours.call(running, "GET", f"/api/v1/phones/{device.mac}/lockstep")["stage"])


def _edits(running: ours.Own, phones: list[tuple[Phone, Device]], edit: Callable[[Device, int], None]) -> Edits:
    found, reader = Edits(), ours.Reader(running.phones_port)
    for number, (files, phone) in enumerate(phones):
        time.sleep(SITE_PAUSE_S)
        before = reader.tags(files)
        told, began, began_at = len(phone.events), time.monotonic(), time.time()
        edit(phone, number)
        found.live_ms.append(_live_ms(running, reader, files, before, began))
        found.told_ms.append((_told_at(phone, told) - began_at) * 1e3)
        _wait_in_lockstep(running, phone)
    reader.close()
    return found


def _live_ms(running: ours.Own, reader: ours.Reader, files: Phone, before: list[str | None], began: float) -> float:
    """Returns the ms since ``began`` once the phones' listener has new files for the phone.

    They are let out only after the PBX was read to say what it should, which the stage is asked for then: asking for it all the time
    would take from the server what it needs for the edit.
    """
    _until(lambda: reader.tags(files) != before, "the edit", pause_s=0.005)
    seconds = time.monotonic() - began
    stage = str(ours.call(running, "GET", f"/api/v1/phones/{files.mac}/lockstep")["stage"])
    if stage in OPEN_STAGES:
        raise TimeoutError(f"{files.mac} has new files and stands at {stage}")
    return seconds * 1e3


def _told_at(phone: Device, before: int) -> float:
    _until(lambda: len(phone.events) > before, "NOTIFY", pause_s=0.002)
    return phone.events[before][0]


def _wait_in_lockstep(running: ours.Own, phone: Device) -> None:
    _until(lambda: phone.is_registered and _stage(running, phone) == "in_lockstep", f"lockstep of {phone.mac}")


def _edit_label(running: ours.Own, phone: Device, number: int) -> None:
    keys = [{"key": 3, "module": 0, "type": "blf", "value": "100001", "label": f"Bench {number}"}]
    ours.call(running, "PUT", f"/api/v1/phones/{phone.mac}/keys", keys)


def _edit_extension(running: ours.Own, phone: Device, number: int) -> None:
    ours.call(running, "PATCH", f"/api/v1/extensions/{phone.agent.account.number}", {"display_name": f"Edited {number}"})


def _registered(network: Network, running: ours.Own, plan: Plan) -> tuple[float, int]:
    """Returns the seconds until all phones, at most ``REGISTERED``, have registered with what their files say, and how many did."""
    accounts = [_account(running, phone) for phone in plan.phones[:REGISTERED]]
    agents = network.run(_opened(accounts))
    began = time.monotonic()
    network.run(_register_all(agents), limit_s=LIMIT_S)
    seconds = time.monotonic() - began
    registered = sum(agent.registered for agent in agents)
    network.run(_closed(agents))
    return seconds, registered


def _account(running: ours.Own, phone: Phone) -> Account:
    vendor, _, model = phone.model.partition("/")
    firmware = FIRMWARES[vendor](model, phone.mac)
    server = HTTPServer(f"http://127.0.0.1:{running.phones_port}/", firmware.user_agent, {})
    try:
        firmware.fetch(server)
    finally:
        server.close()
    line: LineConfig = firmware.config().lines[0]
    return Account(line.number, line.secret, line.server, line.port, line.user, expires_s=line.expires_s, agent=firmware.user_agent)


async def _opened(accounts: list[Account]) -> list[UserAgent]:
    return [await UserAgent(account).open() for account in accounts]


async def _register_all(agents: list[UserAgent]) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(agent: UserAgent) -> None:
        async with room:
            await agent.register(patience_s=30.0)

    await asyncio.gather(*(one(agent) for agent in agents))


async def _closed(agents: list[UserAgent]) -> None:
    for agent in agents:
        await agent.close()


def _timed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def _until(condition: Callable[[], object], what: str, limit_s: float = LIMIT_S, pause_s: float = 0.05) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {limit_s:.0f} s")
        time.sleep(pause_s)


SCENARIOS: dict[str, Callable[[Context], None]] = {"pbx": lockstep}
