"""``provisioner firmware``."""

from __future__ import annotations

from tests.commands.conftest import Cli


def test_an_image_is_pinned_listed_resumed_and_taken_off(cli: Cli) -> None:
    cli.env["PROVISIONER_TFTP_ROOT"] = str(cli.folder / "static")
    (cli.folder / "static" / "firmware").mkdir(parents=True)
    assert "there is no such file" in cli("firmware", "pin", "acme/a1", "a1.bin", "--version", "2.0", status=1).stderr
    (cli.folder / "static" / "firmware" / "a1.bin").write_bytes(b"image")
    assert "sha256 6105d6cc" in cli("firmware", "pin", "acme/a1", "a1.bin", "--version", "2.0").stdout
    assert [row["shares"] for row in cli.json("firmware", "list")] == [[5, 25, 100]]
    assert "rolling" in cli("firmware", "list").stdout
    assert "goes on" in cli("firmware", "resume", "acme/a1").stdout
    cli("firmware", "unpin", "acme/a1")
    assert cli.json("firmware", "list") == []
    assert "rising percents" in cli("firmware", "pin", "acme/a1", "a1.bin", "--version", "2.0", "--shares", "x", status=1).stderr
