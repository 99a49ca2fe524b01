"""``dhcp-config``."""

from __future__ import annotations

from provisioner.core.dhcp_servers import SERVERS
from tests.commands.conftest import Cli


def test_configuration_is_printed_for_every_server(cli: Cli) -> None:
    for server in SERVERS:
        assert "http://192.0.2.7:0/" in cli("dhcp-config", server, "--site", "default").stdout
    assert "there is no site" in cli("dhcp-config", "kea", "--site", "nowhere", status=1).stderr
