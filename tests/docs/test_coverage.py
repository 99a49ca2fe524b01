"""The page of what each model has: its cells follow the catalogue, and the counting of others leaves out what is only a comment."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from docs import peer_counts
from docs.coverage_page import NONE, UNKNOWN, YES, coverage, state
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
FEATURES = tomllib.loads((peer_counts.HERE / "features.toml").read_text("utf-8"))["feature"]
PAGE = coverage()


def row_of(name: str) -> list[str]:
    [line] = re.findall(rf"(?m)^\| `{name}` \|(.*)\|$", PAGE)
    return [cell.strip() for cell in line.split("|")]


def test_every_model_has_a_row() -> None:
    for vendor in CATALOGUE.vendors.values():
        assert [model for model in vendor.models if f"\n| `{model}` |" not in PAGE] == []


def test_a_row_tells_accounts_keys_and_features() -> None:
    cells = dict(zip(("accounts", "keys", "modules", "types", "settings"), row_of("t46u"), strict=False))
    model = CATALOGUE.vendors["yealink"].models["t46u"]
    assert cells == {"accounts": "16", "keys": "27", "modules": "3 x 60", "types": str(len(model.key_types) - 1), "settings": str(len(CATALOGUE.settings) - len(model.unsupported))}  # fmt: skip
    assert set(row_of("t46u")[5:]) == {YES}


def test_what_no_source_tells_is_unknown_and_not_missing() -> None:
    yealink, polycom, linphone = (CATALOGUE.vendors[vendor].models for vendor in ("yealink", "polycom", "linphone"))
    assert state(yealink["w60b"], FEATURES["ldap"]) == UNKNOWN
    assert state(yealink["w60b"], FEATURES["distinctive_ring"]) == NONE
    assert state(polycom["vvx411"], FEATURES["wallpaper"]) == UNKNOWN
    assert state(polycom["vvx411"], FEATURES["action_urls"]) == NONE
    assert state(linphone["softphone"], FEATURES["ldap"]) == UNKNOWN
    assert f"| `grp2601` | 2 | {UNKNOWN} (2) |" in PAGE


def test_every_feature_is_a_setting_of_ours_and_a_pattern() -> None:
    assert [name for name, row in FEATURES.items() if "setting" in row and row["setting"] not in CATALOGUE.settings] == []
    for name, row in FEATURES.items():
        assert set(row) <= {"title", "setting", *peer_counts.VENDORS}, name
        assert set(row) & set(peer_counts.VENDORS), name


@pytest.mark.parametrize(
    ("vendor", "text", "found"),
    [
        ("yealink", "#ldap.host = x\n  # firmware.url = y\nstatic.syslog.server = z\n", {"syslog"}),
        ("yealink", "{# linekey.1.type #}\nlinekey.1.type = 1\n", {"keys"}),
        ("grandstream", "# P192\n<!-- <P207></P207> -->\n<P51>5</P51>\n", {"voice_vlan"}),
        ("polycom", '<!-- dir.corp.address="" -->\n<a sec.srtp.enable="1"/>', {"srtp"}),
        ("polycom", "<P><N>VLANID</N></P><!-- <N>X_SRTP</N> --><P><N>LLDP-MEDAssetID</N></P>", {"voice_vlan"}),
    ],
)
def test_comments_of_others_count_for_nothing(vendor: str, text: str, found: set[str]) -> None:
    assert peer_counts.shown([text], vendor) == found


def repository(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder


def test_folders_and_models_of_others_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, plugin = "resources/templates/provision", "plugins/wazo_yealink"
    info = {"capabilities": {"Yealink, T1, 1": {"function_keys": 3}, "Yealink, T2, 1": {}}}
    fusionpbx = repository(tmp_path / "f", {f"{base}/yealink/t1/a.cfg": "ldap.host = \n", f"{base}/poly/x/a.cfg": ""})
    plugins = {f"plugins/wazo_{vendor}/v1/plugin-info": json.dumps({"capabilities": {}}) for vendor in ("grandstream", "polycom")}
    wazo = repository(tmp_path / "w", {**plugins, f"{plugin}/v1/plugin-info": json.dumps(info), f"{plugin}/v1/t.tpl": "firmware.url = x\n"})
    monkeypatch.setattr(peer_counts, "COUNTS", tmp_path / "counts.json")
    assert peer_counts.main([str(fusionpbx), str(wazo)]) == 0
    counted = json.loads((tmp_path / "counts.json").read_text())
    assert counted["fusionpbx"]["yealink"] == {"models": 1, "features": {"ldap": 1}}
    assert counted["fusionpbx"]["polycom"]["models"] == 1
    assert counted["wazo"]["yealink"] == {"models": 2, "features": {"firmware": 2, "keys": 1}}
    assert peer_counts.main([]) == 2
