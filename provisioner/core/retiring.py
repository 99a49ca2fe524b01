"""What a phone that is taken out of service is given last: files that hold nothing of before. Pure.

They are made as any other, of a phone without lines and keys, with settings as from the factory. What was set for its site, its group or
itself is left out, but for how it reaches this server: it has to fetch once more, and may be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from provisioner.core.layers import Layer
from provisioner.core.raw import parameter_of
from provisioner.core.values import PhoneConfig, SettingValue

KEPT = (
    "voice_vlan", "voice_vlan_priority", "pc_vlan", "pc_port", "lldp", "cdp", "verify_server_certificate",
    "provisioning_daily", "provisioning_interval_min", "provisioning_from_hour", "provisioning_to_hour",
)  # fmt: skip
"""Settings that stay: they bring the phone to this server, and say nothing of whoever had it."""
CLEARED: Mapping[str, SettingValue] = {
    "sip_server": "", "sip_port": 5060, "second_sip_server": "", "outbound_proxy": "", "voicemail_number": "", "mwi_subscribe": False,
    "pickup_code": "", "group_pickup_code": "", "intercom_code": "", "call_log": False, "dnd_default": "off", "forward_default": "set",
    "admin_password": "", "user_password": "", "encrypt_files": False,
}  # fmt: skip
"""Settings that are emptied where the table's default is not empty already, or leaves a phone what its user chose."""
_OF_THE_CATALOGUE = ("default", "vendor", "model")


def emptied_layers(layers: Sequence[Layer], factory: Mapping[str, SettingValue]) -> list[Layer]:
    """Returns the layers of settings of a phone that is taken out of service.

    Those of the catalogue stay, of all others ``KEPT`` alone. Above them stand ``CLEARED`` and ``factory``, what phones of its vendor have
    when they are new, such as their logins; and, empty, what was added by hand.
    """
    left = [layer if layer.kind in _OF_THE_CATALOGUE else _of_kept(layer) for layer in layers]
    known = {name for layer in layers if layer.kind in _OF_THE_CATALOGUE for name in layer.values}
    new = {name: value for name, value in {**CLEARED, **factory}.items() if name in known}
    others = {name for layer in layers for name in layer.values} - known
    by_hand = {name: "" for name in others if parameter_of(name) is not None}
    return [*left, Layer("phone", layers[-1].name, {**new, **by_hand})]


def emptying(config: PhoneConfig) -> PhoneConfig:
    """Returns the phone, whose settings are of emptied layers, without its lines, its keys and the key of its files."""
    return replace(config, lines=(), keys=(), file_key="", is_emptied=True)


def _of_kept(layer: Layer) -> Layer:
    return Layer(layer.kind, layer.name, {name: value for name, value in layer.values.items() if name in KEPT})
