"""``import`` and ``export``."""

from __future__ import annotations

import json
import stat

from tests.commands.conftest import MAC, Cli

GOOD = "MAC address;Model;Extension;Name\n02acde000010;A1;2001;Bob\n02acde000011;acme/a2;2002;Carol\n"
BAD = GOOD + "02acde00001;A1;2003;Dave\n;;;\n02acde000012;A9;2004;Eve\n"


def test_preview_writes_nothing(cli: Cli) -> None:
    shown = cli("import", "-", stdin=GOOD).stdout
    assert "2 to make, 0 to change, 0 as before, 0 bad" in shown
    assert "Add --commit" in shown
    assert len(cli.json("phone", "list")) == 1


def test_commit_writes(cli: Cli) -> None:
    (cli.folder / "phones.csv").write_text(GOOD)
    assert "2 phones and 2 extensions made" in cli("import", "phones.csv", "--commit").stdout
    assert len(cli.json("phone", "list")) == 3
    again = cli("import", "phones.csv", "--commit").stdout
    assert "0 phones and 0 extensions made, 0 phones and 0 extensions changed, 2 rows as before" in again


def test_folder_of_phone_files_is_imported_with_what_was_left_out(cli: Cli) -> None:
    (cli.folder / "old").mkdir()
    (cli.folder / "old" / "02acde000010.acme").write_text(
        "line.1.user = 2001\nline.1.secret = Sup3rSecret1\ntimezone = Old/Zone\nodd = 1\n"
    )
    shown = cli("import", "old", status=1).stdout
    assert "read as files that another system wrote for its phones" in shown and "does not tell which model" in shown
    shown = cli("import", "old", "--model", "A1", "--commit").stdout
    assert (
        "set by the settings of this server, parameter (phones): timezone (1)" in shown
        and "not taken over, parameter (phones): odd (1)" in shown
    )
    assert "1 phone and 1 extension made" in shown and "Sup3rSecret1" not in shown
    assert "there is no format word" in cli("import", "old", "--format", "word", status=1).stdout


def test_one_bad_row_stops_all_and_says_where(cli: Cli) -> None:
    shown = cli("import", "-", "--commit", stdin=BAD, status=1).stdout
    assert "not a MAC address" in shown
    assert "no model 'A9'" in shown
    assert "Nothing was written. Mend the bad rows, or add --partial" in shown
    assert len(cli.json("phone", "list")) == 1


def test_partial_leaves_the_bad_rows_out(cli: Cli) -> None:
    shown = cli("import", "-", "--commit", "--partial", stdin=BAD).stdout
    assert "2 bad rows left out" in shown
    assert len(cli.json("phone", "list")) == 3


def test_update_shows_what_changes_and_no_secret(cli: Cli) -> None:
    text = f"mac,extension,display_name,secret,setting:admin_password\n{MAC},1001,Alicia,another-secret-1,hunter2hunter2\n"
    shown = cli("import", "-", stdin=text).stdout
    assert "display_name: Alice -> Alicia" in shown
    assert "secret: *** -> ***" in shown
    assert "another-secret" not in shown
    assert "hunter2" not in shown
    plan = json.loads(cli("import", "-", "--json", stdin=text).stdout)
    assert plan["counts"] == {"create": 0, "update": 1, "unchanged": 0, "bad": 0}
    assert plan["written"] is None
    assert "hunter2" not in json.dumps(plan)


def test_unreadable_file(cli: Cli) -> None:
    shown = cli("import", "-", "--commit", "--partial", stdin='mac,model\n"02acde000010,A1\n', status=1).stdout
    assert "quotes of this row do not fit" in shown
    assert "Nothing was written" in shown


def test_many_rows_are_cut_unless_all(cli: Cli) -> None:
    text = "extension\n" + "".join(f"3{at:03d}\n" for at in range(80))
    assert "and 30 more rows; --all" in cli("import", "-", stdin=text).stdout
    assert "more rows" not in cli("import", "-", "--all", stdin=text).stdout


def test_export_to_file_and_back(cli: Cli) -> None:
    cli("export", "out.csv", "--with-secrets")
    written = cli.folder / "out.csv"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert b"hunter2hunter2" in written.read_bytes()
    assert written.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "1 as before, 0 bad" in cli("import", "out.csv").stdout


def test_export_has_no_secret_unless_asked(cli: Cli) -> None:
    out = cli("export").stdout
    assert MAC in out
    assert "hunter2" not in out
