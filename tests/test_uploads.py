"""What is kept of the files that phones send: bounded, sealed, per phone, and never taken for desired state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.catalogue import UploadRule
from provisioner.core.values import FileRequest, Reason
from provisioner.uploads import FILES_PER_PHONE, merged_upload
from tests.contract.inside import LOCAL, Inside, inside

MARKER = b"MARKER-of-an-upload-0123456789"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


def log_rule(own: Inside) -> UploadRule:
    return next(rule for rule in own.installation.catalogue.vendors["polycom"].uploads if rule.name == "{mac}-app.log")


@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from(["append", "replace"]), st.integers(1, 50), st.integers(1, 50))
def test_what_is_kept_is_the_newest_part_within_its_bound(before: bytes, body: bytes, mode: str, keep: int, limit: int) -> None:
    rule = replace(_RULE, mode=mode, keep_bytes=keep, append_limit_bytes=limit)
    kept = merged_upload(rule, before, body)
    assert len(kept) <= keep
    whole = before + body if mode == "append" and len(before + body) <= limit else body
    assert whole.endswith(kept)
    assert len(kept) == min(keep, len(whole))


_RULE = UploadRule("x", "log", __import__("re").compile("x"))


def test_an_upload_is_sealed_in_the_file_and_in_its_journal(own: Inside) -> None:
    phone = own.phone("polycom/vvx411")
    for at in range(20):
        assert own.uploads.keep(phone.mac, f"{phone.mac}-app.log", log_rule(own), MARKER + bytes([at]))
    _record, body = own.installation.store.upload_body(phone.mac, f"{phone.mac}-app.log")  # type: ignore[misc]
    assert body.count(MARKER) == 20
    for path in own.installation.settings.data_dir.glob("provisioner.sqlite3*"):
        assert MARKER not in path.read_bytes(), path


def test_an_upload_of_one_phone_opens_under_no_other_name(own: Inside) -> None:
    phone, other = own.phone("polycom/vvx411"), own.phone("polycom/vvx411")
    own.uploads.keep(phone.mac, "a", log_rule(own), MARKER)
    with own.installation.database.write() as connection:
        connection.execute(sa.text("UPDATE upload SET mac = :mac"), {"mac": other.mac})
    with pytest.raises(Exception, match=r"secret\.key does not fit"):
        own.installation.store.upload_body(other.mac, "a")


def test_a_phone_keeps_so_many_files_and_no_more(own: Inside) -> None:
    phone = own.phone("polycom/vvx411")
    kept = [own.uploads.keep(phone.mac, f"file-{at}", log_rule(own), b"x") for at in range(FILES_PER_PHONE + 1)]
    assert kept == [True] * FILES_PER_PHONE + [False]
    assert own.uploads.keep(phone.mac, "file-0", log_rule(own), b"y"), "one that is there is replaced all the same"


def test_uploads_go_with_their_phone(own: Inside) -> None:
    phone = own.phone("polycom/vvx411")
    own.uploads.keep(phone.mac, "a", log_rule(own), b"x")
    own.installation.changes.delete_phone("test", phone.mac)
    own.index.refresh()
    assert own.installation.store.upload_names() == []
    assert own.index.uploads.get(phone.mac) is None


def test_an_upload_changes_nothing_of_what_the_phone_should_have(own: Inside) -> None:
    phone = own.phone("polycom/vvx411", own.site("open"))
    before = own.installation.store.lockstep(phone.mac, has_pbx=False), own.installation.store.phone(phone.mac)
    rule = next(rule for rule in own.installation.catalogue.vendors["polycom"].uploads if rule.kind == "override")
    own.uploads.keep(phone.mac, f"{phone.mac}-phone.cfg", rule, b'<x reg.1.auth.password="hostile" voIpProt.server.1.address="evil"/>')
    own.follow()
    assert (own.installation.store.lockstep(phone.mac, has_pbx=False), own.installation.store.phone(phone.mac)) == before
    assert own.ask(f"{phone.mac}-phone.cfg", phone.agent).reason is Reason.NO_SUCH_FILE
    assert b"evil" not in own.ask(phone.name, phone.agent).body


@pytest.mark.parametrize("access", ["open", "first-fetch", "token", "digest"])
def test_the_right_to_send_is_the_right_to_fetch(own: Inside, access: str) -> None:
    phone = own.phone("polycom/vvx411", own.site(access))
    name = f"{phone.mac}-app.log"
    ways = [(name, LOCAL), (name, "203.0.113.1"), (f"p/{own.token(phone)}/{name}", "203.0.113.1"), (f"p/{'a' * 24}/{name}", LOCAL)]
    for path, peer in ways:
        may_fetch = own.ask(path, phone.agent, peer).reason in (Reason.SERVED, Reason.NO_SUCH_FILE)
        answer, rule = own.server.upload_rule(FileRequest(path, "http", peer, phone.agent, "PUT"))
        assert (answer.reason is Reason.STORED) is may_fetch
        assert (rule is not None) is may_fetch


def test_a_proven_phone_with_a_name_of_nobody_is_not_asked_for_credentials(own: Inside) -> None:
    own.phone(site=own.site("digest"))
    phone = own.phone("polycom/vvx411", own.site("open"))
    answer, _ = own.server.upload_rule(FileRequest(f"bucket/{phone.mac}-x.log", "http", LOCAL, phone.agent, "PUT"))
    assert (answer.reason, answer.challenge) == (Reason.UNKNOWN_NAME, False)
