"""A database belongs to one key: a server with another, or with none, is told so at its start, before it seals or serves anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.db import Database
from provisioner.errors import SecretError
from provisioner.key_mark import mark_of, open_box
from provisioner.models import meta
from provisioner.secrets import KEY_FILE
from tests.engines import World


def test_second_server_needs_the_key_of_the_first_even_while_nothing_is_sealed(database_url: str, tmp_path: Path) -> None:
    """Was: a second server that was started on empty tables made a key of its own, and derived other addresses for the same phones."""
    database, first, second = Database(database_url), tmp_path / "first", tmp_path / "second"
    box = open_box(database, first, create=True)
    with pytest.raises(SecretError, match=r"belongs to a key already: .* copy secret\.key from another server"):
        open_box(database, second, create=True)
    assert not (second / KEY_FILE).exists()
    second.mkdir()
    (second / KEY_FILE).write_bytes(os.urandom(32))
    with pytest.raises(SecretError, match="is not the key that this database belongs to"):
        open_box(database, second, create=True)
    (second / KEY_FILE).write_bytes((first / KEY_FILE).read_bytes())
    mac = Mac("02acde000001")
    assert open_box(database, second, create=True).token(mac, 1) == box.token(mac, 1)
    database.dispose()


def test_database_of_before_is_marked_with_the_key_that_opens_it(world: World, tmp_path: Path) -> None:
    database, folder = world.installation.database, tmp_path / "var"
    world.extension()
    assert mark_of(database) is None
    key = (folder / KEY_FILE).read_bytes()
    (folder / KEY_FILE).write_bytes(os.urandom(32))
    with pytest.raises(SecretError, match="does not fit this database"):
        open_box(database, folder, create=True)
    assert mark_of(database) is None
    (folder / KEY_FILE).write_bytes(key)
    assert mark_of(database) != open_box(database, folder, create=False).mark == mark_of(database)
    with database.read() as connection:
        kept = connection.execute(sa.select(meta.c.value).where(meta.c.key == "key_mark")).scalar_one()
    assert key.hex() not in kept and kept not in key.hex()
