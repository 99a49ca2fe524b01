"""Taking files over, putting them back, and merging what releases changed into them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.errors import AlreadyExists, InputError, NotFound, ProvisionerError
from provisioner.overlay import OverlayPlace, editing, take, upgrade_notices
from tests.overlay.conftest import DEVICE, own, shipped


def released(place: OverlayPlace, before: str, after: str) -> OverlayPlace:
    """Returns the place after an upgrade in which the shipped file changed."""
    text = shipped(place, DEVICE)
    assert before in text
    (place.shipped / DEVICE).write_text(text.replace(before, after), "utf-8")
    return replace(place, release="1.1")


def edit(place: OverlayPlace, before: str, after: str) -> None:
    assert place.own is not None
    text = (place.own / DEVICE).read_text("utf-8")
    assert before in text
    (place.own / DEVICE).write_text(text.replace(before, after), "utf-8")


def test_override_copies_what_is_shipped_once(place: OverlayPlace) -> None:
    assert editing.override(place, DEVICE, 1.0).read_text("utf-8") == shipped(place, DEVICE)
    with pytest.raises(AlreadyExists, match="is there already"):
        editing.override(place, DEVICE, 2.0)
    with pytest.raises(NotFound, match="the shipped catalogue has no"):
        editing.override(place, "acme/models/none.toml", 1.0)


def test_merge_of_edits_that_do_not_meet(place: OverlayPlace) -> None:
    editing.override(place, DEVICE, 1.0)
    edit(place, "timezone = ", "# ours\ntimezone = ")
    assert editing.merge(place, DEVICE).path is None
    later = released(place, "sip = ", "# theirs\nsip = ")
    found = editing.diffs(later, DEVICE)
    assert "+# ours" in found["yours"]
    assert "# theirs" not in found["yours"]
    assert "+# theirs" in found["shipped"]
    made = editing.merge(later, DEVICE)
    assert made.path is not None
    assert made.conflicts == 0
    assert place.own is not None
    assert "# theirs" not in (place.own / DEVICE).read_text("utf-8"), "only the side file is written"
    assert take(later, "ann", 2.0, "apply").changed == (DEVICE,), "the side file is no file of the catalogue"
    editing.take_merge(later, DEVICE, "ann", 3.0)
    text = (place.own / DEVICE).read_text("utf-8")
    assert "# ours" in text
    assert "# theirs" in text
    assert upgrade_notices(later) == []
    assert not made.path.exists()


def test_conflict_has_to_be_decided_before_it_is_taken(place: OverlayPlace) -> None:
    editing.override(place, DEVICE, 1.0)
    edit(place, "timezone = ", "ourzone = ")
    later = released(place, "timezone = ", "theirzone = ")
    made = editing.merge(later, DEVICE)
    assert made.conflicts == 1
    assert made.path is not None
    with pytest.raises(ProvisionerError, match="still holds places to decide"):
        editing.take_merge(later, DEVICE, "ann", 2.0)
    made.path.write_text(shipped(place, DEVICE), "utf-8")
    with pytest.raises(ProvisionerError, match="of another release"):
        editing.take_merge(released(later, "theirzone", "zone"), DEVICE, "ann", 2.0)
    editing.merge(later, DEVICE)
    made.path.write_text("decided\n", "utf-8")
    editing.take_merge(later, DEVICE, "ann", 3.0)
    assert place.own is not None
    assert (place.own / DEVICE).read_text("utf-8") == "decided\n"
    assert [row.why for row in editing.versions(later, DEVICE)] == ["before a merge"], "the edit before it is kept"


def test_keep_mine_settles_an_upgrade(place: OverlayPlace) -> None:
    editing.override(place, DEVICE, 1.0)
    later = released(place, "timezone = ", "zone = ")
    assert upgrade_notices(later)
    editing.keep_mine(later, DEVICE, 2.0)
    assert upgrade_notices(later) == []


def test_file_made_by_hand_has_no_base_until_it_is_used(place: OverlayPlace) -> None:
    own(place, DEVICE, shipped(place, DEVICE) + "# mine\n")
    with pytest.raises(ProvisionerError, match="it is not known what"):
        editing.merge(place, DEVICE)
    assert editing.diffs(place, DEVICE)["yours"].endswith("+# mine")
    take(place, "ann", 1.0, "apply")
    assert editing.merge(place, DEVICE).path is None


def test_drop_and_revert(place: OverlayPlace) -> None:
    target = editing.override(place, DEVICE, 1.0)
    for at in (1, 2):
        target.write_text(shipped(place, DEVICE) + f"# {at}\n", "utf-8")
        take(place, "ann", float(at), "apply")
    target.write_text("not yet applied\n", "utf-8")
    editing.revert(place, DEVICE, 1, "bob", 3.0)
    assert target.read_text("utf-8").endswith("# 1\n")
    assert [(row.version, row.by) for row in editing.versions(place, DEVICE)] == [(3, "bob"), (2, "ann"), (1, "ann")]
    editing.drop(place, DEVICE, "bob", 4.0)
    assert not target.exists()
    assert take(place, "bob", 5.0, "apply").changed == (DEVICE,)
    editing.revert(place, DEVICE, 3, "bob", 6.0)
    assert target.read_text("utf-8") == "not yet applied\n"
    with pytest.raises(NotFound, match="no version 9"):
        editing.revert(place, DEVICE, 9, "bob", 7.0)
    with pytest.raises(NotFound, match="is not there"):
        editing.drop(place, "acme/models/a1.toml", "bob", 8.0)


def test_nothing_is_written_through_a_link(place: OverlayPlace) -> None:
    assert place.own is not None
    outside = place.own.parent / "outside"
    outside.mkdir()
    (place.own / "acme").mkdir(parents=True)
    (place.own / "acme/templates").symlink_to(outside)
    with pytest.raises(InputError, match="is a link, or leads out of"):
        editing.override(place, DEVICE, 1.0)
    assert list(outside.iterdir()) == []
    (outside / "a1.toml").write_text("secret", "utf-8")
    (place.own / "acme/models").mkdir()
    (place.own / "acme/models/a1.toml").symlink_to(outside / "a1.toml")
    with pytest.raises(InputError, match="is a link, or leads out of"):
        editing.diffs(place, "acme/models/a1.toml")
