"""Fixtures that run a test on both engines: ``database_url`` is an empty database, ``installation`` one with tables and a writer.

Tables are made once an engine and copied, or emptied again: a test costs no migration.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from pbx_sync.fake import FakePBX
from pbx_sync.state import PBXObject
from provisioner.changes import Changes, LineInput, PhoneInput
from provisioner.core.catalogue import Catalogue
from provisioner.core.lockstep import files_hash
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.db import Database
from provisioner.models import phone, rendered_file
from provisioner.pbxview import endpoint_of, ring_group_of
from provisioner.secrets import load_secret_box
from provisioner.settings import load_settings
from provisioner.store import Store
from provisioner.wiring import Installation, assembled
from provisioner.worker import Worker
from tests.installations import copy_toy, empty_tables, migrate, renderer_of, shared_catalogue
from tests.postgres import fresh_database, running_server, wanted
from tests.recycled import Recycled

A1, A2 = "acme/a1", "acme/a2"
PARAMS = ["sqlite", *([pytest.param("postgresql", marks=pytest.mark.postgres)] if wanted() else [])]


def mac_of(number: int) -> Mac:
    return Mac(f"02acde{number:06x}")


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    with running_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: sa.URL) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        migrate(url)
        yield str(sa.make_url(url).database)


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: sa.URL, postgres_template: str) -> Iterator[Recycled]:
    databases = Recycled(postgres_server, postgres_template)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "tables.sqlite"
    path.write_bytes(empty_tables())
    return path


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy") / "catalogue"
    copy_toy(folder)
    return folder


@pytest.fixture(scope="session")
def toy(toy_folder: Path) -> Catalogue:
    return shared_catalogue(toy_folder)


@pytest.fixture(params=PARAMS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/var/empty.sqlite"
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture(params=PARAMS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with tables and nothing in them."""
    if request.param == "sqlite":
        (tmp_path / "var").mkdir()
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "var" / "tables.sqlite")
        yield f"sqlite:///{tmp_path}/var/tables.sqlite"
        return
    with request.getfixturevalue("postgres_databases").lent() as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def installation(database_url: str, tmp_path: Path, toy: Catalogue, clock: Clock) -> Iterator[Installation]:
    made = quick_installation(database_url, tmp_path / "var", toy, clock)
    yield made
    made.database.dispose()


@pytest.fixture
def changes(installation: Installation) -> Changes:
    return installation.changes


@pytest.fixture
def store(installation: Installation) -> Store:
    return installation.store


def quick_installation(url: str, folder: Path, catalogue: Catalogue, clock: Clock) -> Installation:
    """As ``open_installation``, with a catalogue that is loaded already and a clock of the test's."""
    environ = {"DATA_DIR": str(folder), "DATABASE_URL": url, "PUBLIC_HOST": "prov.example", "PBX": "fake"}
    settings = load_settings({f"PROVISIONER_{name}": value for name, value in environ.items()}, file=folder / "none.toml")
    box, database = load_secret_box(folder, create=True), Database(settings.database)
    return assembled(settings, database, box, catalogue, renderer_of(catalogue), clock)


@dataclass
class World:
    """An installation with its worker and a PBX, and clocks that stand still."""

    installation: Installation
    clock: Clock
    timer: Clock = field(default_factory=lambda: Clock(1000.0))
    pbx: FakePBX = field(default_factory=FakePBX)

    def __post_init__(self) -> None:
        self.worker = self.restarted()

    @property
    def changes(self) -> Changes:
        return self.installation.changes

    @property
    def store(self) -> Store:
        return self.installation.store

    def restarted(self) -> Worker:
        self.worker = Worker(self.store, self.installation.renderer, self.pbx, self.clock, self.timer)
        return self.worker

    def drain(self) -> int:
        return self.worker.drain(1000)

    def later(self, seconds: float) -> int:
        self.clock.now += seconds
        self.timer.now += seconds
        return self.drain()

    def extension(self, number: str = "1001", name: str = "Alice") -> str:
        self.changes.create_extension("tests", number, display_name=name, secret=f"secret-of-{number}")
        return number

    def phone(self, number: int = 1, *extensions: str, model: str = A1, **more: object) -> Mac:
        lines = [LineInput(at, extension) for at, extension in enumerate(extensions, 1)]
        self.changes.create_phone("tests", mac_of(number), PhoneInput(model=model, lines=lines, **more))  # type: ignore[arg-type]
        return mac_of(number)

    def live(self, mac: Mac) -> str:
        """Returns the phone's live files as one text."""
        return "".join(file.body.decode() for file in sorted(self.store.live_files([mac]), key=lambda file: file.name))

    def row(self, mac: Mac) -> sa.Row:
        with self.installation.database.read() as connection:
            return connection.execute(sa.select(phone).where(phone.c.mac == mac)).one()


def desired_state(store: Store) -> dict[str, PBXObject]:
    """Returns what the PBX should say, from the rows."""
    endpoints = {record.number: endpoint_of(record, secrets) for record, secrets in store.extensions_with_secrets()}
    return {**endpoints, **{group.number: group for group in map(ring_group_of, store.ring_groups())}}


def settled_mistakes(store: Store, renderer: Renderer, endpoints: Mapping[str, PBXObject]) -> list[str]:
    """Returns what is not as it should be once everything is drained: the same end state, whatever happened on the way."""
    mistakes = [] if endpoints == desired_state(store) else ["the PBX is not as desired"]
    with store.database.read() as connection:
        rows = connection.execute(sa.select(phone)).all()
        states = connection.execute(sa.select(rendered_file.c.mac, rendered_file.c.state).where(rendered_file.c.state == "next")).all()
    mistakes += [f"{row.mac} has a next file" for row in states]
    files: dict[str, dict[str, bytes]] = {}
    for file in store.live_files():
        files.setdefault(file.mac, {})[file.name] = file.body
    for start in range(0, len(rows), 200):
        macs = [Mac(row.mac) for row in rows[start : start + 200]]
        wanted_of = {job.config.mac: renderer.phone_files(job.config) for job in store.render_jobs(macs)}
        for row in rows[start : start + 200]:
            made = wanted_of[Mac(row.mac)]
            if {file.name: file.body for file in made} != files.get(row.mac):
                mistakes.append(f"{row.mac} is not served what its rows say")
            if not row.wanted_hash == row.live_hash == files_hash(made):
                mistakes.append(f"the hashes of {row.mac} do not agree")
    return mistakes
