"""How files of one's own come into use: as a checked set, or not at all."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.catalog import load_catalogue
from provisioner.catalog.layers import Layers
from provisioner.core.render import Renderer
from provisioner.core.values import RenderedFile
from provisioner.errors import RenderError
from provisioner.overlay import OverlayPlace, catalogue_in_use, own_files, take, upgrade_notices
from provisioner.overlay import place as keeping
from provisioner.worker.rendering import fingerprint
from tests.catalog.examples_of import example_of
from tests.overlay.conftest import DEVICE, own, shipped

VENDOR = "acme/vendor.toml"


def taken(place: OverlayPlace, at: float = 1.0) -> None:
    done = take(place, "ann", at, "apply")
    assert done.mistakes == ()


def device(place: OverlayPlace) -> str:
    return catalogue_in_use(place).vendors["acme"].templates["device.acme.j2"]


def test_nothing_there_is_the_shipped_catalogue(place: OverlayPlace) -> None:
    assert take(place, "ann", 1.0, "start").changed == ()
    assert not place.kept.exists()
    assert fingerprint(catalogue_in_use(place), ()) == fingerprint(load_catalogue(place.shipped), ())


def test_a_file_takes_the_place_of_the_shipped_one_once_it_is_taken(place: OverlayPlace) -> None:
    own(place, DEVICE, shipped(place, DEVICE) + "# mine\n")
    assert not device(place).endswith("# mine\n")
    taken(place)
    assert device(place).endswith("# mine\n")
    [file] = own_files(place)
    assert (file.path, file.version, file.is_edited, file.base, file.is_new, file.notice) == (DEVICE, 1, False, "1.0", False, "")


def test_a_new_model_and_a_new_vendor_are_added(place: OverlayPlace) -> None:
    own(place, "acme/models/a9.toml", shipped(place, "acme/models/a1.toml").replace("A1", "A9"))
    for name in (
        "sheet.toml",
        "SOURCES.md",
        "parameters.txt",
        "models/a2.toml",
        *(f"templates/{each}.acme.j2" for each in ("common", "device", "keys")),
    ):
        own(place, f"zenith/{name}", shipped(place, f"acme/{name}"))
    own(place, "zenith/vendor.toml", shipped(place, VENDOR).replace("Acme", "Zenith").replace("02acde", "02bcde"))
    taken(place)
    catalogue = catalogue_in_use(place)
    assert catalogue.model("acme/a9") and catalogue.model("zenith/a2")
    assert catalogue.vendor_of_oui("02bcde") == "zenith"
    assert all(file.is_new for file in own_files(place))


BROKEN = [
    ("no Jinja", DEVICE, "{% if %}", f"{DEVICE}:1: Expected an expression"),
    ("an unknown name", DEVICE, "\nurl = {{ nothing }}\n", f"{DEVICE}:2: 'nothing' is undefined"),
    ("a parameter that the maker lacks", DEVICE, "tiemzone = 1\n", f"{DEVICE}:1: tiemzone is not in the maker's list of parameters"),
    ("no TOML", "acme/models/a1.toml", "title = \n", "acme/models/a1.toml:1: Invalid value"),
    ("an unknown field", "acme/models/a1.toml", 'titel = "x"\n', "acme/models/a1.toml:1: titel: Unknown field."),
    ("no text", VENDOR, "\udcff", f"{VENDOR}:1: is no UTF-8 text"),
]


@pytest.mark.parametrize(("name", "text", "sentence"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_mistake_leaves_in_use_what_was(place: OverlayPlace, name: str, text: str, sentence: str) -> None:
    own(place, DEVICE, shipped(place, DEVICE) + "# good\n")
    taken(place)
    assert place.own is not None
    (place.own / name).parent.mkdir(parents=True, exist_ok=True)
    (place.own / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    done = take(place, "ann", 2.0, "apply")
    assert any(mistake.startswith(f"{place.own}/{sentence}") for mistake in done.mistakes), done.mistakes
    assert device(place).endswith("# good\n")
    assert place.state().trouble == list(done.mistakes)
    (place.own / name).unlink()
    own(place, DEVICE, shipped(place, DEVICE) + "# good\n")
    taken(place, 3.0)
    assert place.state().trouble == []


def test_folder_that_is_gone_takes_nothing_out_of_use(place: OverlayPlace) -> None:
    path = own(place, DEVICE, shipped(place, DEVICE) + "# mine\n")
    taken(place)
    path.unlink()
    for folder in (path.parent, path.parent.parent, place.own):
        assert folder is not None
        folder.rmdir()
    assert "is not there, and files of it are in use" in take(place, "ann", 2.0, "start").mistakes[0]
    assert device(place).endswith("# mine\n")
    assert place.own is not None
    place.own.mkdir()
    taken(place, 3.0)
    assert device(place) == shipped(place, DEVICE)


def test_an_upgrade_that_does_not_go_with_it_withholds_that_vendor_alone(place: OverlayPlace) -> None:
    own(place, "acme/models/a9.toml", shipped(place, "acme/models/a1.toml").replace("A1", "A9"))
    taken(place)
    for path in (place.shipped / "acme").rglob("*"):  # another vendor that nobody changed
        if path.is_file():
            target = place.shipped / "zenith" / path.relative_to(place.shipped / "acme")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes().replace(b"02acde", b"02bcde").replace(b"Acme", b"Zenith"))
    model = place.shipped / "acme/models/a3.toml"
    model.write_text(shipped(place, "acme/models/a1.toml").replace("A1", "A9"), "utf-8")  # the release brings that model itself
    catalogue = catalogue_in_use(place)
    assert set(catalogue.withheld) == {"acme"}
    assert "your own files do not go with the catalogue of release 1.0" in catalogue.withheld["acme"]
    config = example_of(catalogue, "acme", "a1")
    with pytest.raises(RenderError, match="so its phones keep the files that they have"):
        Renderer(catalogue).phone_files(config)
    assert Renderer(catalogue).phone_files(replace(config, model="zenith/a1"))
    assert fingerprint(catalogue, ()) != fingerprint(replace(catalogue, withheld={}), ())


def test_a_changed_shipped_file_is_told(place: OverlayPlace) -> None:
    own(place, DEVICE, shipped(place, DEVICE) + "# mine\n")
    taken(place)
    assert upgrade_notices(place) == []
    (place.shipped / DEVICE).write_text(shipped(place, DEVICE) + "# new\n", "utf-8")
    later = replace(place, release="1.1")
    assert upgrade_notices(later) == [
        f"{DEVICE} was changed in release 1.1 since you took it over: see 'provisioner catalogue diff {DEVICE}'"
    ]
    assert device(later).endswith("# mine\n")
    (place.shipped / DEVICE).unlink()
    assert "is not in the catalogue of release 1.1 any more" in upgrade_notices(later)[0]


def test_versions_are_bounded_and_the_one_in_use_stays(place: OverlayPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "VERSIONS_KEPT", 3)
    for at in range(5):
        own(place, DEVICE, shipped(place, DEVICE) + f"# {at}\n")
        taken(place, float(at))
    state = place.state()
    assert [row.version for row in state.versions[DEVICE]] == [3, 4, 5]
    assert state.versions[DEVICE][-1].sha256 == state.files[DEVICE]
    assert len(list((place.kept / "bodies").iterdir())) == 4  # and the base
    assert len(list((place.kept / "sets").iterdir())) == 2
    for at in range(5):
        state.note(DEVICE, f"{at:064x}", 0.0, "ann", "put aside")
    assert state.files[DEVICE] in {row.sha256 for row in state.versions[DEVICE]}


def test_state_that_cannot_be_read_is_none(place: OverlayPlace) -> None:
    own(place, DEVICE, shipped(place, DEVICE) + "# mine\n")
    taken(place)
    (place.kept / "state.json").write_text("{", "utf-8")
    assert device(place) == shipped(place, DEVICE)
    taken(place)
    assert device(place).endswith("# mine\n")


def test_what_root_writes_belongs_to_who_owns_the_data_folder(place: OverlayPlace) -> None:
    if os.geteuid() == 0:
        os.chown(place.kept.parent, 65534, 65534)
    own(place, DEVICE, shipped(place, DEVICE) + "# mine\n")
    taken(place)
    owner = place.kept.parent.stat().st_uid
    assert {path.stat().st_uid for path in (place.kept, *place.kept.rglob("*"))} == {owner}


COMMENTS = st.dictionaries(st.sampled_from(["templates/device.acme.j2", "templates/keys.acme.j2", "templates/common.acme.j2", "vendor.toml", "models/a1.toml"]), st.sampled_from(["# one\n", "# two\n"]))  # fmt: skip


@pytest.fixture(scope="module")
def two_vendors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.installations import copy_toy

    folder = tmp_path_factory.mktemp("two") / "shipped"
    copy_toy(folder)
    for path in (folder / "acme").rglob("*"):
        if path.is_file():
            target = folder / "zenith" / path.relative_to(folder / "acme")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes().replace(b"02acde", b"02bcde").replace(b"Acme", b"Zenith"))
    return folder


@given(changed=COMMENTS)
@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_of_one_vendor_never_change_those_of_another(two_vendors: Path, tmp_path: Path, changed: dict[str, str]) -> None:
    layers = {}
    for at, (name, comment) in enumerate(changed.items()):
        path = tmp_path / str(at) / Path(name).name
        path.parent.mkdir(exist_ok=True)
        path.write_text((two_vendors / "acme" / name).read_text("utf-8") + comment, "utf-8")
        layers[f"acme/{name}"] = path
    before, after = load_catalogue(two_vendors), load_catalogue(Layers(two_vendors, layers))

    def files(vendor: str) -> tuple[list[RenderedFile], list[RenderedFile]]:
        config = replace(example_of(before, "acme", "a1"), model=f"{vendor}/a1")
        return Renderer(before).phone_files(config), Renderer(after).phone_files(config)

    assert files("zenith")[0] == files("zenith")[1]
    ours = {"device.acme.j2", "keys.acme.j2"} & {Path(name).name for name in changed}
    assert (files("acme")[0] == files("acme")[1]) == (not ours)
    assert after.vendors["zenith"].templates == before.vendors["zenith"].templates
