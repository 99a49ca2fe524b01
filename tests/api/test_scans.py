"""Scans over the API: asked for, looked at, stopped; only where it is allowed, and only while somebody does them."""

from __future__ import annotations

import pytest

from provisioner.heartbeat import Heartbeats
from provisioner.scans import ScanWriter, hosts_of, scannable
from provisioner.wiring import Installation
from tests.api.conftest import Api, errors, reason


@pytest.fixture
def running(installation: Installation) -> None:
    Heartbeats(installation.settings.data_dir).beat("discovery", True, "hears pnp")


def test_a_scan_is_asked_for_followed_and_stopped(roles: dict[str, Api], installation: Installation, running: None) -> None:
    technician = roles["technician"]
    started = technician.post("/scans", {"network": "192.168.1.7/24"})
    assert started.status_code == 202
    scan = started.get_json()
    assert (scan["network"], scan["state"], scan["total"], scan["done"], scan["ended_at"]) == ("192.168.1.0/24", "waiting", 254, 0, None)
    number = scan["id"]
    ScanWriter(installation.database).progress(number, 100, 3)
    shown = technician.get(f"/scans/{number}").get_json()
    assert (shown["state"], shown["done"], shown["found"]) == ("running", 100, 3)
    assert technician.post(f"/scans/{number}/cancel").status_code == 200
    record = installation.store.scan(number)
    assert record is not None and record.cancel and record.state == "running", "who scans ends it, and says so"
    ScanWriter(installation.database).ended(number, "cancelled", 2e9)
    assert technician.post(f"/scans/{number}/cancel").get_json()["state"] == "cancelled"
    assert [row["id"] for row in technician.get("/scans").get_json()["items"]] == [number]
    assert [change.action for change in installation.store.changes(limit=2)] == ["scan.cancel", "scan.start"]


def test_one_that_waits_ends_at_once(admin: Api, running: None) -> None:
    number = admin.post("/scans", {"network": "10.0.0.0/30"}).get_json()["id"]
    ended = admin.post(f"/scans/{number}/cancel").get_json()
    assert ended["state"] == "cancelled" and ended["ended_at"] is not None


@pytest.mark.parametrize("number", [1, 2**63, 10**30])
def test_a_scan_that_is_not_there_is_not_found(admin: Api, number: int) -> None:
    assert reason(admin.get(f"/scans/{number}")) == reason(admin.post(f"/scans/{number}/cancel")) == "not_found"


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ("8.8.8.0/24", "TRUSTED_NETWORKS"),
        ("10.0.0.0/8", "at most 4096"),
        ("192.168.0.0/15", "at most"),
        ("nonsense", "is no network"),
        ("fe80::/120", "IPv4"),
        ("", "is no network"),
    ],
)
def test_only_a_trusted_network_of_a_sane_size_is_scanned(admin: Api, running: None, network: str, sentence: str) -> None:
    answer = admin.post("/scans", {"network": network})
    assert answer.status_code == 422 and sentence in errors(answer)["network"]


def test_without_the_discovery_process_it_says_so(admin: Api) -> None:
    answer = admin.post("/scans", {"network": "192.168.1.0/24"})
    assert (answer.status_code, reason(answer)) == (503, "not_ready") and "PROVISIONER_DISCOVERY" in answer.get_json()["detail"]


def test_a_scan_that_is_not_there_gets_404(admin: Api) -> None:
    assert admin.get("/scans/7").status_code == admin.post("/scans/7/cancel").status_code == 404


def test_what_a_process_left_is_ended(admin: Api, installation: Installation, running: None) -> None:
    number = admin.post("/scans", {"network": "10.0.0.0/30"}).get_json()["id"]
    writer = ScanWriter(installation.database)
    writer.progress(number, 1, 0)
    writer.abandon(2e9)
    assert admin.get(f"/scans/{number}").get_json()["state"] == "failed"


def test_hosts_are_counted_as_they_are_looked_at() -> None:
    for text in ("10.0.0.0/24", "10.0.0.0/30", "10.0.0.0/31", "10.0.0.1/32"):
        network = scannable(text, ["10.0.0.0/8"])
        assert hosts_of(network) == len(list(network.hosts()))
