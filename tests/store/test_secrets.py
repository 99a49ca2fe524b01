"""Secrets at rest: sealed under their row, with a key that is made once and readable by its owner alone."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from provisioner.changes import KeyInput
from provisioner.core.mac import Mac
from provisioner.errors import SecretError
from provisioner.models import metadata
from provisioner.secrets import KEY_FILE, SecretBox, load_secret_box, new_sip_secret, token_digest
from provisioner.settings import load_settings
from provisioner.wiring import open_installation
from tests.engines import World

BOX = SecretBox(bytes(range(32)))
DOES_NOT_FIT = "secret.key does not fit this database: restore the one that belongs to it"


@given(st.binary(max_size=300), st.text(st.characters(codec="utf-8"), max_size=40))
def test_what_is_sealed_opens_under_its_own_label_alone(plain: bytes, label: str) -> None:
    sealed = BOX.seal(plain, label)
    assert BOX.open(sealed, label) == plain
    assert BOX.seal(plain, label) != sealed
    with pytest.raises(SecretError, match=DOES_NOT_FIT):
        BOX.open(sealed, f"{label}x")
    with pytest.raises(SecretError, match=DOES_NOT_FIT):
        SecretBox(bytes(32)).open(sealed, label)


@given(st.binary(max_size=60))
def test_rubbish_never_opens_and_is_always_the_same_error(sealed: bytes) -> None:
    with pytest.raises(SecretError, match=DOES_NOT_FIT):
        BOX.open(sealed, "x")


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 2**40), st.integers(1, 2**40))
def test_tokens_differ_by_phone_and_epoch(first: int, second: int, one: int, two: int) -> None:
    left, right = BOX.token(Mac(f"{one:012x}"), first), BOX.token(Mac(f"{two:012x}"), second)
    assert (left == right) == ((one, first) == (two, second))
    assert len(left) == 24 and left.isalnum() and left == left.lower()


def test_derived_secrets_differ_by_purpose() -> None:
    mac = Mac("02acde000001")
    assert len({BOX.phone_password(mac, purpose) for purpose in ("admin", "user", "digest")}) == 3
    assert len({new_sip_secret() for _ in range(100)}) == 100
    assert token_digest("a") != token_digest("b")


def test_key_is_made_once_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"cannot be read .*; run 'provisioner init' or restore it from the backup"):
        load_secret_box(tmp_path, create=False)
    (tmp_path / f"{KEY_FILE}.1").write_bytes(b"left by a process that was killed")
    sealed = load_secret_box(tmp_path / "var", create=True).seal(b"x", "y")
    key = tmp_path / "var" / KEY_FILE
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and key.stat().st_size == 32
    assert load_secret_box(tmp_path / "var", create=True).open(sealed, "y") == b"x"
    assert [path.name for path in key.parent.iterdir()] == [KEY_FILE], "nothing of the making is left"
    key.write_bytes(b"short")
    with pytest.raises(SecretError, match="must hold 32 bytes; it holds 5"):
        load_secret_box(tmp_path / "var", create=False)


def _seal(folder: str, ready, results) -> None:
    ready.wait()
    results.put(load_secret_box(Path(folder), create=True).seal(b"same", "label"))


def test_eight_processes_that_make_the_key_at_once_have_one_key(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    ready, results = spawn.Barrier(8), spawn.Queue()
    makers = [spawn.Process(target=_seal, args=(str(tmp_path / "var"), ready, results)) for _ in range(8)]
    for maker in makers:
        maker.start()
    sealed = [results.get(timeout=30) for _ in makers]
    for maker in makers:
        maker.join(30)
    box = load_secret_box(tmp_path / "var", create=False)
    assert {box.open(item, "label") for item in sealed} == {b"same"}


def test_no_secret_is_in_the_database_in_clear(world: World) -> None:
    mac = world.phone(1, world.extension(), settings={"admin_password": "phone-secret-9"}, keys=[KeyInput(1, "blf", "1001")])
    token = world.changes.create_token("t", "automation", "admin")
    world.drain()
    world.changes.update_extension("t", "1001", {"secret": "second-secret-of-1001"})
    world.drain()
    secrets = ["secret-of-1001", "phone-secret-9", token, world.store.box.token(mac, 1), world.store.box.phone_password(mac, "user")]
    assert all(secret in world.live(mac) for secret in (secrets[0], secrets[1], secrets[3], secrets[4]))
    database = world.installation.database
    with database.read() as connection:
        held = b"".join(
            value if isinstance(value, bytes) else str(value).encode()
            for table in metadata.tables.values()
            for row in connection.execute(sa.select(table))
            for value in row
        )
    if database.is_sqlite:  # the pages themselves, the log and what was deleted included
        held += b"".join(path.read_bytes() for path in Path(str(database.url.database)).parent.glob("*.sqlite*"))
    assert [secret for secret in secrets if secret.encode() in held] == []


def test_no_new_key_is_made_beside_a_database_that_was_sealed_with_another(tmp_path: Path) -> None:
    settings = load_settings(
        {"PROVISIONER_DATA_DIR": str(tmp_path / "var"), "PROVISIONER_PUBLIC_HOST": "192.0.2.1"}, tmp_path / "none.toml"
    )
    first = open_installation(settings, create=True)
    first.changes.create_extension("t", "1001")
    first.database.dispose()
    (tmp_path / "var" / KEY_FILE).unlink()
    with pytest.raises(SecretError, match="restore it from the backup"):
        open_installation(settings, create=True)
    assert not (tmp_path / "var" / KEY_FILE).exists()
