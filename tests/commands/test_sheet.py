"""``sheet``."""

from __future__ import annotations

from tests.commands.conftest import MAC, Cli


def test_sheet_is_written_with_a_one_time_address(cli: Cli) -> None:
    said = cli("sheet", MAC, "--language", "vi", "--link-hours", "2", "--html", "sheet.html", "--pdf", "sheet.pdf")
    assert "works once, until" in said.stderr
    page = (cli.folder / "sheet.html").read_text("utf-8")
    assert 'lang="vi"' in page and "http://192.0.2.7:0/p/" in page and "toy" in page
    assert (cli.folder / "sheet.pdf").read_bytes().startswith(b"%PDF-")


def test_sheet_without_a_place_to_go_is_a_usage_error(cli: Cli) -> None:
    assert "--pdf FILE" in cli("sheet", MAC, status=2).stderr
    assert "is not listed" in cli("sheet", "02acde0000ff", "--html", "x.html", status=1).stderr
