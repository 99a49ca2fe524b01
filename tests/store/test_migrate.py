"""Migrations give exactly the tables of ``models``, once, whoever else tries at the same time."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from provisioner import migrate
from provisioner.db import Database
from provisioner.errors import ProvisionerError
from provisioner.models import metadata
from provisioner.models_nodes import node
from provisioner.settings import load_settings
from provisioner.wiring import open_installation
from tests.installations import toy_catalogue

FORK = multiprocessing.get_context("fork")


def test_migrated_database_is_as_the_models_say(empty_url: str) -> None:
    database = Database(empty_url)
    assert not migrate.is_current(database)
    migrate.upgrade(database)
    assert migrate.is_current(database)
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": False}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        inspector = sa.inspect(connection)
        assert inspector.has_table(node.name)
        for table in metadata.tables.values():
            made = {index["name"]: index for index in inspector.get_indexes(table.name)}
            for index in table.indexes:
                where = index.dialect_options[connection.dialect.name].get("where")
                has = made[index.name].get("dialect_options", {}).get(f"{connection.dialect.name}_where")
                assert (where is None) == (has is None), index.name
    database.dispose()


def test_names_of_the_migrations_tell_their_revisions_and_which_is_the_last() -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert scripts.get_heads() == [migrate.newest_revision()]
    for script in scripts.walk_revisions():
        assert Path(script.path).name.startswith(f"v{script.revision}_")


def test_part_starts_without_what_only_migrating_or_another_database_needs(empty_url: str) -> None:
    database = Database(empty_url)
    migrate.upgrade(database)
    program = "import sys, provisioner.migrate as m, provisioner.db as d; m.upgrade(d.Database(sys.argv[1])); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program, empty_url], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert "alembic" not in loaded and ("psycopg" in loaded) is not database.is_sqlite
    database.dispose()


def test_defaults_of_the_migration_are_those_of_the_models(empty_url: str, tmp_path: Path) -> None:
    migrated = Database(empty_url)
    migrate.upgrade(migrated)
    with migrated.write() as connection:
        connection.execute(
            sa.text("INSERT INTO site (name, access, trusted_networks, enrolment, settings) VALUES ('s', 'open', '[]', 'x', '{}')")
        )
        connection.execute(
            sa.text("INSERT INTO phone (mac, model, site, settings, created_at, opened_at) VALUES ('m', 'x', 's', '{}', 1, 1)")
        )
        row = connection.execute(sa.select(metadata.tables["phone"])).one()
    assert (row.enabled, row.modules, row.revision, row.token_epoch, row.token_floor, row.error, row.firmware) == (True, 0, 1, 1, 1, "", "")
    migrated.dispose()


def test_upgrade_again_changes_nothing_and_waits_for_no_writer(empty_url: str) -> None:
    database, other = Database(empty_url), Database(empty_url)
    migrate.upgrade(database)
    with database.write():
        migrate.upgrade(other)
    database.dispose()
    other.dispose()


def test_newer_database_is_refused_in_plain_words(empty_url: str) -> None:
    database = Database(empty_url)
    migrate.upgrade(database)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ProvisionerError, match=r"written by a newer version \(revision 9999\): install that version, or restore a backup"):
        migrate.upgrade(database)
    assert not migrate.is_current(database)
    database.dispose()


def test_downgrade_takes_everything_away(empty_url: str) -> None:
    database = Database(empty_url)
    migrate.upgrade(database)
    config = migrate._config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with database.engine.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    database.dispose()


def _first_start(url: str, folder: str, catalogue: str) -> None:
    environ = {"DATA_DIR": folder, "DATABASE_URL": url, "CATALOGUE_DIR": catalogue, "PUBLIC_HOST": "h", "PBX": "fake"}
    settings = load_settings({f"PROVISIONER_{name}": value for name, value in environ.items()}, file=Path(folder) / "none.toml")
    made = open_installation(settings, create=True)
    assert [site.name for site in made.store.sites()] == ["default"]
    made.database.dispose()


def test_first_start_of_several_processes_at_once(empty_url: str, tmp_path: Path) -> None:
    catalogue = str(toy_catalogue(tmp_path / "catalogue"))
    starts = [FORK.Process(target=_first_start, args=(empty_url, str(tmp_path / "var"), catalogue)) for _ in range(4)]
    for start in starts:
        start.start()
    for start in starts:
        start.join(60)
    assert [start.exitcode for start in starts] == [0] * len(starts)
    database = Database(empty_url)
    assert migrate.is_current(database)
    database.dispose()
