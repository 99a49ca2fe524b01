"""What a phone that is taken out of service is given last: files that hold nothing of before. Pure.

They are made as any other, of a phone without lines and keys, with settings as from the factory. What was set for its site, its group or
itself is left out, but for how it reaches this server: it has to fetch once more, and may be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

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
    "admin_password": "", "user_password": "",
}  # fmt: skip
"""Settings that are emptied where the table's default is not empty already, or leaves a phone what its user chose."""


def emptying(config: PhoneConfig, defaults: Mapping[str, SettingValue], factory: Mapping[str, SettingValue]) -> PhoneConfig:
    """Returns the phone with nothing of before. ``defaults`` are those of the table with what its vendor and model lay over them;
    ``factory`` what phones of its vendor have when they are new, such as their logins. What was added by hand is written empty.
    """
    kept = {name: config.settings[name] for name in KEPT if name in config.settings}
    by_hand = {name: "" for name in config.settings if parameter_of(name) is not None and name not in defaults}
    known = {name: value for name, value in CLEARED.items() if name in defaults}
    new = {name: value for name, value in factory.items() if name in defaults}
    settings = {**defaults, **kept, **known, **new, **by_hand}
    return replace(config, lines=(), keys=(), settings=settings, file_key="", is_emptied=True)
