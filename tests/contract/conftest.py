"""One running installation for all contract tests, and the wires that the same stories are told over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.world import MODELS, OverHTTP, OverTFTP, Phone, Wire, World, world


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("contract"), trusted_proxies="127.0.0.7/32") as made:
        (made.static / "wall.jpg").write_bytes(b"small picture")
        (made.static / "ring" / "tones").mkdir(parents=True)
        (made.static / "ring" / "tones" / "bell.wav").write_bytes(b"ding")
        (made.static / "202401011200.bin").write_bytes(b"twelve digits")
        (made.static / "firmware" / "T46U-108.86.0.90.rom").write_bytes(bytes(range(256)) * 20480)
        (made.static / ".hidden").write_bytes(b"hidden")
        (made.static / ".git").mkdir()
        (made.static / ".git" / "config").write_bytes(b"hidden")
        (made.static / "out").symlink_to("/etc/passwd")
        yield made


@pytest.fixture(scope="session")
def phones(served: World) -> dict[str, Phone]:
    """A phone of each model on a site that stays open."""
    site = served.site("open")
    return {model: served.phone(model, site) for model in MODELS}


@pytest.fixture(params=["http", "tftp"])
def wire(request: pytest.FixtureRequest, served: World) -> Wire:
    return OverHTTP(served) if request.param == "http" else OverTFTP(served)
