"""Ready configuration for DHCP servers: which phones are told the address of this server, in which option.

Which vendor classes and options there are is the catalogue's to say; one template for each kind of DHCP server lays them out. Pure: no
clock, no network. Texts go into the files only after they were held against a pattern that leaves no way to end a string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from provisioner.core.catalogue import Catalogue, Vendor
from provisioner.core.dhcp_servers import SERVERS
from provisioner.errors import InputError

_ADDRESS = re.compile(r"https?://(?:[0-9A-Za-z](?:[0-9A-Za-z.\-]{0,251}[0-9A-Za-z])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?/\Z")
_NAME = re.compile(r"[^0-9A-Za-z ._\-]")
MOST_BYTES = 255
"""The longest value that one DHCP option carries (RFC 2132)."""


@dataclass(frozen=True, slots=True)
class PhoneClass:
    """The phones of one vendor as a DHCP server tells them."""

    tag: str
    title: str
    begins: tuple[bytes, ...]
    """How option 60 may begin."""
    ouis: tuple[str, ...]
    """Six lower-case hex digits each."""
    options: tuple[int, ...]


def dhcp_config(catalogue: Catalogue, server: str, address: str, *, site: str = "", needs_own_address: bool = False) -> str:
    """Returns the configuration for a kind of DHCP server, ending in a line feed.

    ``address`` is that of the phones listener, ending in ``/``. ``site`` is named in a remark; ``needs_own_address`` adds that its
    phones are given nothing at the common address. Raises ``InputError`` for an unknown kind and for an address that no option can carry.
    """
    kind = SERVERS.get(server)
    if kind is None:
        raise InputError({"server": f"'{server[:32]}' is no DHCP server that is known; there are {', '.join(SERVERS)}"})
    if not _ADDRESS.match(address) or len(address) > MOST_BYTES:
        raise InputError(
            {
                "PUBLIC_HOST": f"{address[:300]!r} is no address for a DHCP option: set PROVISIONER_PUBLIC_HOST to a host name or an IP address"
            }
        )
    classes = [_class_of(vendor) for vendor in catalogue.vendors.values() if vendor.dhcp.options]
    # Option 43 means something else to everybody: it is only ever given by class.
    common = sorted({option for phones in classes for option in phones.options} - {43})
    template = _environment().get_template(kind.template)
    site = _NAME.sub("?", site)
    return template.render(address=address, classes=classes, common=common, site=site, needs_own_address=needs_own_address)


def _class_of(vendor: Vendor) -> PhoneClass:
    return PhoneClass(
        f"phones-{_NAME.sub('-', vendor.id)}",
        _NAME.sub("?", vendor.name),
        vendor.dhcp.classes,
        tuple(sorted(vendor.ouis)),
        vendor.dhcp.options,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("provisioner.dhcp"),
        autoescape=select_autoescape(()),  # none of these formats is HTML; what goes in was held against a pattern
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["pairs"] = _pairs
    environment.filters["readable"] = _readable
    return environment


def _pairs(value: bytes | str) -> str:
    """Returns bytes, or hex digits, as pairs of hex digits with colons: ``80:5e:c0``."""
    digits = value if isinstance(value, str) else value.hex()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def _readable(value: bytes) -> str:
    """Returns a class as a person reads it: its text in quotes, or its bytes."""
    return f"'{value.decode('ascii')}'" if value.isascii() and value.decode("ascii").isprintable() else f"the bytes {_pairs(value)}"
