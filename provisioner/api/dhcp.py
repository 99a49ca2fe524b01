"""Ready configuration for DHCP servers."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from provisioner.api.context import installation
from provisioner.api.noun import Noun
from provisioner.api.schemas import Strict, Text
from provisioner.core.dhcp_servers import SERVERS
from provisioner.dhcp import dhcp_config
from provisioner.errors import NotFound

noun = Noun("dhcp", "Ready configuration for DHCP servers, by which phones find this one.", of_sites=True)


class DHCPQuery(Strict):
    """Which site it is for."""

    site = Text(longest=64, metadata={"example": "default", "description": "The configuration says so, and what its phones need besides"})


@noun.route("/dhcp-config/<string:server>")
class DHCPConfig(MethodView):
    """Configuration for one kind of DHCP server."""

    @noun.takes(DHCPQuery, location="query")
    @noun.gives(200, {"type": "string"}, content_type="text/plain", description="To be saved on the DHCP server")
    def get(self, query: dict[str, Any], server: str) -> Response:
        """Show configuration for a DHCP server that tells phones the address of this one."""
        if server not in SERVERS:
            raise NotFound({"server": f"'{server[:32]}' is no DHCP server that is known; there are {', '.join(SERVERS)}"})
        place, name = installation(), query.get("site")
        record = place.store.site(name) if name is not None else None
        if name is not None and record is None:
            raise NotFound({"site": f"there is no site {name}"})
        needs_own_address = record is not None and record.access in {"token", "digest"}
        address = place.settings.provisioning_base
        text = dhcp_config(place.catalogue, server, address, site=name or "", needs_own_address=needs_own_address)
        return Response(text, content_type="text/plain; charset=utf-8")
