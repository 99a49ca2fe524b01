"""Installations for tests: each one fresh, on SQLite, or on PostgreSQL where ``TEST_DATABASE_URL`` names a server.

They use the toy catalogue, so that no test of ours hangs on a fact of a real vendor; ``catalogue_dir=...`` takes another one. What is
the same for all of them is made once a process: empty tables are copied, catalogues and their compiled templates are shared.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from provisioner.catalog import load_catalogue
from provisioner.core.catalogue import Catalogue
from provisioner.core.render import Renderer
from provisioner.db import Database
from provisioner.migrate import upgrade
from provisioner.secrets import load_secret_box
from provisioner.settings import ROOT, Settings, load_settings
from provisioner.wiring import Installation, assembled, open_installation

REAL = ROOT / "phone_templates"
_renderers: dict[int, tuple[Catalogue, Renderer]] = {}
TOY = Path(__file__).parent / "toy_catalogue"
API_TOKEN = "settings-token-of-the-tests-0123456789"


def toy_catalogue(folder: Path) -> Path:
    """Returns a folder with the toy vendor and the real tables of settings and of other makers; one that is there stays as it is."""
    if not folder.exists():
        copy_toy(folder)
    return folder


def copy_toy(folder: Path) -> None:
    """Makes a folder with the toy vendor, to be changed as one likes."""
    shutil.copytree(TOY, folder)
    for name in ("settings.toml", "other_makers.toml"):
        shutil.copy(REAL / name, folder / name)


def shared_catalogue(folder: Path = REAL) -> Catalogue:
    """Returns the catalogue in a folder that nobody changes, loaded once a process."""
    return _loaded(folder)


_loaded = cache(load_catalogue)


def renderer_of(catalogue: Catalogue) -> Renderer:
    """Returns the renderer of a catalogue that is shared: its templates are compiled once a process."""
    known, renderer = _renderers.get(id(catalogue), (None, None))
    if renderer is None or known is not catalogue:
        renderer = Renderer(catalogue)
        _renderers[id(catalogue)] = (catalogue, renderer)
    return renderer


@cache
def empty_tables() -> bytes:
    """Returns a SQLite database with tables and nothing in them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tables.sqlite"
        migrate(f"sqlite:///{path}")
        return path.read_bytes()


def migrate(url: str) -> None:
    """Makes the tables of an empty database; a SQLite file is whole by itself afterwards."""
    database = Database(url)
    upgrade(database)
    if database.is_sqlite:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()


def make_installation(tmp_path: Path, **settings: object) -> Installation:
    """Returns an installation with a database of its own in ``tmp_path``; ``settings`` are ``PROVISIONER_*`` in small letters."""
    toy = tmp_path / "catalogue"
    is_new = not toy.exists()
    given = {
        "data_dir": tmp_path / "var",
        "catalogue_dir": settings.get("catalogue_dir") or toy_catalogue(toy),
        "public_host": "prov.example",
        "phones_bind": "127.0.0.1:1",  # nothing answers there: readiness is tested with a listener of its own
        "pbx": "fake",
        "api_token": API_TOKEN,
        **settings,
    }
    environ = {f"PROVISIONER_{name.upper()}": str(value) for name, value in given.items()}
    read = load_settings(environ, file=tmp_path / "none.toml")
    if read.catalogue_dir == REAL:
        return _opened(read, shared_catalogue())
    if read.catalogue_dir == toy and is_new:
        return _opened(read, _shared_toy())
    return open_installation(read, create=True)


def _opened(settings: Settings, catalogue: Catalogue) -> Installation:
    """As ``open_installation``, with a catalogue that is loaded already; tables that are missing are copied where that can be done."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    database = Database(settings.database)
    if database.file and not database.file.exists():
        database.file.write_bytes(empty_tables())
    upgrade(database)
    box = load_secret_box(settings.data_dir, create=True)
    return assembled(settings, database, box, catalogue, renderer_of(catalogue))


@cache
def _shared_toy() -> Catalogue:
    with tempfile.TemporaryDirectory() as folder:
        copy_toy(Path(folder) / "catalogue")
        return load_catalogue(Path(folder) / "catalogue")


@contextmanager
def fresh_installation(tmp_path: Path, **settings: object) -> Iterator[Installation]:
    """As ``make_installation``, on the database that the environment asks for; it is gone afterwards."""
    with _database_url() as url:
        installation = make_installation(tmp_path, **({"database_url": url} if url else {}), **settings)
        try:
            yield installation
        finally:
            installation.database.dispose()


@contextmanager
def timed_installation(tmp_path: Path, clock: Callable[[], float], **settings: object) -> Iterator[Installation]:
    """As ``fresh_installation``, with a clock that tests move."""
    with fresh_installation(tmp_path, **settings) as installation:
        installation.changes.clock = clock
        yield installation


def render_all(installation: Installation, *, live: bool = True) -> None:
    """Renders what is to be rendered as the worker does, for tests that need files and have no worker."""
    from provisioner.core.lockstep import files_hash
    from provisioner.models import phone, rendered_file

    renderer, state = installation.renderer, "live" if live else "next"
    jobs = installation.store.render_jobs(installation.store.macs_to_render(500))
    with installation.database.write() as connection:
        for job in jobs:
            mac, files = job.config.mac, renderer.phone_files(job.config)
            connection.execute(rendered_file.delete().where(rendered_file.c.mac == mac, rendered_file.c.state == state))
            for file in files:
                sealed = installation.box.seal(file.body, f"file:{mac}:{file.name}")
                row = {"mac": mac, "state": state, "name": file.name, "sha256": file.sha256, "size": len(file.body)}
                connection.execute(rendered_file.insert().values(**row, content_type=file.content_type, body=sealed))
            digest = files_hash(files)
            hashes = {"wanted_hash": digest, **({"live_hash": digest, "live_at": installation.changes.clock()} if live else {})}
            connection.execute(phone.update().where(phone.c.mac == mac).values(**hashes))


@contextmanager
def _database_url() -> Iterator[str]:
    server = os.environ.get("TEST_DATABASE_URL", "")
    if not server:
        yield ""
        return
    base = sa.make_url(server).set(drivername="postgresql+psycopg")
    name = f"test_{secrets.token_hex(6)}"
    engine = sa.create_engine(base, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        try:
            yield base.set(database=name).render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    finally:
        engine.dispose()
