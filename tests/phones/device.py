"""A simulated phone as a whole: boots from a URL alone, keeps its accounts registered and its lamps lit, and comes again when told to."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from tests.phones.config import Config, Firmware, LineConfig, Unreadable, WatchedKey
from tests.phones.grandstream import Grandstream
from tests.phones.lamps import WatchedLamp
from tests.phones.link import NoAnswer
from tests.phones.message import Message
from tests.phones.network import Network
from tests.phones.polycom import Polycom
from tests.phones.sip import Account, Refused, UserAgent
from tests.phones.yealink import Yealink

FIRMWARES: dict[str, Callable[[str, str], Firmware]] = {"yealink": Yealink, "grandstream": Grandstream, "polycom": Polycom}
TRIES, TRY_AGAIN_S = 3, 1.0
"""A Yealink tries three times, five seconds apart; a test has no time for so much patience."""
HTTP_S = 10.0
MOVES = 3
FIRST_TONE_HZ, TONE_STEP_HZ, TONES = 400, 50, 50


class HTTPServer:
    """A provisioning server at a URL. What did not change since it was last asked is not sent again."""

    def __init__(self, url: str, user_agent: str, kept: dict[str, tuple[str, bytes]], host: str = "127.0.0.1") -> None:
        parts = urlsplit(url)
        self._folder = parts.path if parts.path.endswith("/") else f"{parts.path}/"
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=HTTP_S, source_address=(host, 0))
        self._agent = user_agent
        self._kept = kept
        self.asked: list[tuple[str, int]] = []
        self.read: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        path = self._folder + quote(name)
        tag, before = self._kept.get(path, ("", b""))
        status, headers, body = self._ask("GET", path, {"If-None-Match": tag} if tag else {})
        if status == 200:
            self._kept[path] = headers.get("etag", ""), body
        elif status != 304:
            return None
        self.read[name] = body if status == 200 else before
        return self.read[name]

    def put(self, name: str, body: bytes) -> None:
        self._ask("PUT", self._folder + quote(name), {}, body)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        try:
            self._connection.request(method, path, body=body, headers={"User-Agent": self._agent, **headers})
            answer = self._connection.getresponse()
            read = answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"{method} {path}: {error!r}") from error
        self.asked.append((f"{method} {path}", answer.status))
        if answer.status >= 500:
            raise OSError(f"{method} {path} was answered with {answer.status}")
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, read


@dataclass
class Device:
    """One phone. ``renew_s`` makes it register that often instead of as often as its files say: tests have no ten minutes."""

    network: Network
    model: str
    mac: str
    url: str
    number: int = 0
    host: str = "127.0.0.1"
    """Its own address: any of 127.0.0.0/8 will do."""
    renew_s: float | None = None
    firmware: Firmware = field(init=False)
    config: Config = field(default_factory=Config)
    agents: dict[int, UserAgent] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Every request over HTTP, with its status."""
    events: list[tuple[float, str]] = field(default_factory=list)
    """Every NOTIFY that told it to fetch, with its time."""
    changes: int = 0
    """How often its files were other than before."""
    failures: list[str] = field(default_factory=list)
    _kept: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    _bodies: str = ""
    _applied: str = ""
    _left: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        vendor, _, model = self.model.partition("/")
        self.firmware = FIRMWARES[vendor](model, self.mac)

    # ---- for tests -----------------------------------------------------------------------------------------------------

    def boot(self) -> Device:
        """Power on: returns once the files are read; registering goes on by itself."""
        self.network.run(self.start())
        return self

    def power_off(self) -> None:
        """Pulls the plug: nothing is unregistered. Where it was told to go, and what it was set to, stays in its flash."""
        self.network.run(self._end())

    @property
    def agent(self) -> UserAgent:
        """Returns the user agent of the first line."""
        return self.agents[min(self.agents)]

    @property
    def is_registered(self) -> bool:
        """Returns whether every account is."""
        return bool(self.agents) and all(agent.registered for agent in self.agents.values())

    @property
    def registrations(self) -> int:
        """Returns how often it registered, with accounts that it has no more too."""
        return self._left + sum(agent.registrations for agent in self.agents.values())

    def lamp(self, number: str) -> WatchedLamp:
        return self.agent.lamps[number]

    def key(self, number: str) -> WatchedKey:
        """Returns the key that watches a number."""
        return next(key for key in self.config.watched if key.number == number)

    # ---- in the phones' thread -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self.provision(is_boot=True)

    async def stop(self) -> None:
        """Falls silent at once, whatever it was doing."""
        agents, self.agents = list(self.agents.values()), {}
        self._left += sum(agent.registrations for agent in agents)
        await asyncio.gather(*(agent.close() for agent in agents))

    async def _end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.stop()

    def told(self, event: str) -> None:
        """Takes a check-sync: fetches, or restarts where the event says so."""
        self.events.append((time.time(), event))
        self._begin(self.provision(is_boot="reboot=true" in event))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def provision(self, *, is_boot: bool) -> None:
        """Fetches until a server is found and followed, then lives by what was read. A phone that finds none keeps what it has."""
        async with self._fetching:
            for attempt in range(TRIES):
                try:
                    await asyncio.to_thread(self._fetch)
                    await self._live(is_boot=is_boot)
                    return
                except (OSError, Unreadable) as error:
                    self.failures.append(repr(error))
                    await asyncio.sleep(TRY_AGAIN_S * (attempt < TRIES - 1))
            if is_boot:
                await self._live(is_boot=True)

    def _fetch(self) -> None:
        """Reads all files, and again where they move the phone to another address."""
        for _ in range(MOVES):
            server = HTTPServer(self.url, self.firmware.user_agent, self._kept, self.host)
            try:
                self.firmware.fetch(server)
            finally:
                self.asked += server.asked
                server.close()
            if not server.read:
                return
            bodies = hashlib.sha256(repr(sorted(server.read.items())).encode()).hexdigest()
            self.changes += bodies != self._bodies
            self._bodies, self.config = bodies, self.firmware.config()
            if self.config.url in ("", self.url):
                return
            self.url = self.config.url
        self.failures.append(f"moved from server to server without an end, lastly to {self.url}")

    async def _live(self, *, is_boot: bool) -> None:
        """Brings the accounts to what the files say; where nothing changed, and nothing was switched on, nothing is done."""
        changed, self._applied = self._bodies != self._applied, self._bodies
        if is_boot:
            await self.stop()
        if not (changed or is_boot):
            return
        lines = {line.line: line for line in self.config.lines}
        for number, agent in tuple(self.agents.items()):
            if number not in lines or not _is_same(agent.account, lines[number]):
                await self._leave(self.agents.pop(number))
        for number, line in lines.items():
            await self._join(number, line)

    async def _leave(self, agent: UserAgent) -> None:
        """Takes an account off: politely where the PBX still listens to it."""
        self._left += agent.registrations
        try:
            await agent.register(0, patience_s=1.0)
        except (Refused, NoAnswer) as error:
            self.failures.append(repr(error))
        await agent.close()

    async def _join(self, number: int, line: LineConfig) -> None:
        if line.transport != "udp":
            raise Unreadable(f"these phones speak SIP over UDP, and the file says {line.transport}")
        account = _account(line, self.firmware.user_agent)
        watched = [key.number for key in self.config.watched] if number == min(line.line for line in self.config.lines) else []
        agent = self.agents.get(number)
        if agent is None:
            tone = FIRST_TONE_HZ + TONE_STEP_HZ * (self.number % TONES)
            agent = UserAgent(account, host=self.host, frequency_hz=tone, on_event=self.told, answers_at_once=self._answers_at_once)
            self.agents[number] = await agent.open()
            self.agents[number].wants(watched, messages=line.wants_messages)
            self.agents[number].stay_registered(self.renew_s)
        else:
            agent.wants(watched, messages=line.wants_messages)
            agent.use(account)

    def _answers_at_once(self, invite: Message) -> bool:
        told = f"{invite.get('Alert-Info')} {invite.get('Call-Info')}"
        return any(text in told for text in self.config.intercom)


def _account(line: LineConfig, user_agent: str) -> Account:
    name = user_agent.replace("FileTransport ", "").partition(" (SN:")[0]
    return Account(line.number, line.secret, line.server, line.port, line.user, line.display_name, line.expires_s, name)


def _is_same(account: Account, line: LineConfig) -> bool:
    """Returns whether an account stays what it is for the registrar: secret and name may change, number and server not."""
    return (account.number, account.server, account.port) == (line.number, line.server, line.port)
