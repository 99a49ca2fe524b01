"""Calls and recordings on the command line."""

from __future__ import annotations

import csv
import io

from provisioner.bundled import recordings_folder
from provisioner.settings import load_settings
from provisioner.wiring import open_installation
from tests.calls import AT, MISSED, add_call
from tests.commands.conftest import Cli


def test_calls_are_listed_written_as_csv_and_their_recordings_removed(cli: Cli) -> None:
    place = open_installation(load_settings(cli.env, file=cli.folder / "none.toml"))
    folder = recordings_folder(place.settings)
    folder.mkdir(parents=True)
    (folder / "7.1.wav").write_bytes(b"0")
    number = add_call(
        place.database,
        caller="=1+1",
        caller_name="=HYPERLINK()",
        called="+4930123",
        parties=("1001", "1002"),
        recording="7.1.wav",
        recording_bytes=1024**2,
    )
    add_call(place.database, AT + 60, **MISSED)
    place.database.dispose()
    rows = list(csv.DictReader(io.StringIO(cli("call", "list", "--csv").stdout)))
    assert [(row["outcome"], row["recorded"], row["started_at"]) for row in rows] == [
        ("missed", "no", "2027-01-15T08:01:00.000Z"), ("answered", "yes", "2027-01-15T08:00:00.000Z"),
    ]  # fmt: skip
    strange = rows[1]["caller"], rows[1]["caller_name"], rows[1]["called"]
    assert strange == ("'=1+1", "'=HYPERLINK()", "+4930123"), "a stranger's number and name are no formula, and a number stays one"
    assert [row["number"] for row in cli.json("recording", "list")] == [number]
    assert [row["outcome"] for row in cli.json("call", "list", "--extension", "1001", "--limit", "1")] == ["missed"]
    assert f"removed the recording of call {number}, =1+1 to +4930123" in cli("recording", "remove", str(number)).stdout
    assert list(folder.iterdir()) == []
    assert cli.json("recording", "list") == []
    assert cli.json("call", "now") == []
