"""A simulated phone of each vendor boots from the URL of a running server alone, follows it to its own address, and asks for no file twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.changes import KeyInput, PhoneInput
from tests.contract.world import Phone, World, wait_until, world
from tests.phones.device import Device
from tests.phones.network import Network

MODELS = ("yealink/t46u", "grandstream/gxp2170", "grandstream/grp2614", "polycom/vvx411")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("phones")) as made:
        yield made


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network() as made:
        yield made
        assert made.failures == []


@pytest.fixture(params=MODELS)
def pair(request: pytest.FixtureRequest, served: World, network: Network) -> Iterator[tuple[Phone, Device]]:
    """A phone in the database, and the device that has its MAC and the server's URL and knows nothing else."""
    phone = served.phone(request.param)
    device = Device(network, phone.model, str(phone.mac), f"http://127.0.0.1:{served.http_port}/")
    yield phone, device
    device.power_off()


def test_it_reads_its_account_and_keys_and_moves_to_its_own_address(served: World, pair: tuple[Phone, Device]) -> None:
    phone, device = pair
    device.boot()
    assert device.url == f"http://127.0.0.1:{served.http_port}/p/{served.token(phone.mac)}/"
    (line,) = device.config.lines
    assert (line.number, line.user, line.secret) == (phone.extension, phone.extension, phone.secret)
    assert (line.server, line.port, line.wants_messages) == ("127.0.0.1", served.installation.settings.sip_bind.port, True)
    assert [(key.number, key.label, key.pickup) for key in device.config.watched] == [(phone.extension, "Desk", f"*8{phone.extension}")]
    assert device.config.intercom and device.failures == []
    assert any(path == f"GET /{phone.name}" and status == 200 for path, status in device.asked)
    wait_until(
        lambda: (
            served.installation.store.lockstep(phone.mac, has_pbx=False).served
            == served.installation.store.lockstep(phone.mac, has_pbx=False).live
        ),
        what="the record of its fetch",
    )


def test_it_asks_with_the_tag_it_has_and_changes_only_where_the_server_did(
    served: World, pair: tuple[Phone, Device], network: Network
) -> None:
    phone, device = pair
    device.boot()
    before, asked = device.changes, len(device.asked)
    network.run(device.provision(is_boot=False))
    assert device.changes == before
    own = [status for path, status in device.asked[asked:] if path.endswith(phone.name)]
    assert own == [304]
    served.installation.changes.update_phone("test", phone.mac, PhoneInput(keys=[KeyInput(2, "blf", phone.extension, "Other")]))
    served.wait_live(phone)
    network.run(device.provision(is_boot=False))
    assert device.changes == before + 1 and device.key(phone.extension).label == "Other"
