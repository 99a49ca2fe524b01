"""``dhcp-config``."""

from __future__ import annotations

from provisioner.commands.dhcp import dhcp_config
from provisioner.dhcp import SERVERS
from tests.commands.conftest import Cli


def test_configuration_is_printed_for_every_server(cli: Cli) -> None:
    for server in SERVERS:
        assert "http://192.0.2.7:0/" in cli("dhcp-config", server, "--site", "default").stdout
    assert "there is no site" in cli("dhcp-config", "kea", "--site", "nowhere", status=1).stderr


def test_command_offers_every_server() -> None:
    (server,) = (parameter for parameter in dhcp_config.params if parameter.name == "server")
    assert list(server.type.choices) == list(SERVERS)
