"""Taking phones in from the command line."""

from __future__ import annotations

import pytest

from provisioner.models_enrolment import newcomer
from provisioner.settings import load_settings
from provisioner.wiring import open_installation
from tests.commands.conftest import MAC, Cli


@pytest.fixture
def ready(bare: Cli) -> Cli:
    """An installation with nothing in it."""
    bare("init")
    return bare


def test_a_window_is_opened_listed_and_closed(ready: Cli) -> None:
    ready("site", "add", "Utrecht", "--enrolment", "window", "--pool", "3000-3009", "--network", "192.168.50.0/24")
    assert "takes in 20 phones" in ready("window", "open", "Utrecht", "--minutes", "30", "--phones", "20").output
    assert "Utrecht" in ready("window", "list").output
    ready("window", "close", "Utrecht")
    assert "Utrecht" not in ready("window", "list").output
    assert "no window is open" in ready("window", "close", "Utrecht", status=1).output
    assert "not window" in ready("window", "open", "default", status=1).output


def test_a_delivery_is_checked_before_anything_is_written(ready: Cli) -> None:
    wrong = ready("warehouse", "add", "-", stdin="MAC address,Model\n02acde000001,A1\nnonsense,A1\n02acde000003,ZZ\n", status=1).output
    assert "line 3, mac" in wrong and "line 4, model" in wrong
    assert MAC not in ready("warehouse", "list").output
    assert "2 phones" in ready("warehouse", "add", "-", stdin="mac;model\n02acde000001;A1\n02acde000002;acme/a2\n").output
    assert "acme/a1" in ready("warehouse", "list").output
    ready("warehouse", "remove", MAC)
    assert MAC not in ready("warehouse", "list").output


def test_a_phone_is_claimed_by_its_last_digits_or_by_a_code(ready: Cli) -> None:
    ready("extension", "add", "1001")
    row = {"peer": "127.0.0.1", "user_agent": "Acme A1 1.2", "transport": "http", "first_at": 1.0, "at": 2.0, "count": 1, "waits": False}
    place = open_installation(load_settings(ready.env))
    with place.database.write() as connection:
        connection.execute(newcomer.insert().values(mac="02acde000001", **row))
    place.database.dispose()
    assert MAC in ready("newcomers").output
    assert "dial *55" in ready("claim", "--code", "--extension", "1001").output
    assert "acme/a1" in ready("claim", "00:00:01", "--extension", "1001").output
    assert "no phone whose MAC ends so" in ready("claim", "ffffff", status=1).output
    assert ready("claim", "--code", status=2)


def test_refusals_and_alarms_are_listed(ready: Cli) -> None:
    assert "MAC" in ready("refusals").output
    assert ready("refusals", "--json").output.strip() == "[]"
    assert "LISTENER" in ready("alarms").output
    assert ready("alarms", "--json").output.strip() == "[]"
