"""What a phone's user changed on it: whatever would take the phone away is found and left out."""

from __future__ import annotations

import pytest

from provisioner.core.overrides import refused_parameters, without_refused
from tests.installations import shared_catalogue

VENDORS = shared_catalogue().vendors
HOSTILE = {
    "yealink": (
        "#!version:1.0.0.1\naccount.1.sip_server.1.address = evil.example\nphone_setting.backlight_time = 30\n"
        "static.auto_provision.server.url = http://evil.example/\nstatic.security.user_password = admin:x\n",
        ["account.1.sip_server.1.address", "static.auto_provision.server.url", "static.security.user_password"],
        "#!version:1.0.0.1\nphone_setting.backlight_time = 30\n",
    ),
    "polycom": (
        '<PHONE_CONFIG><OVERRIDES reg.1.server.1.address="evil.example" device.auth.localAdminPassword="x" up.backlight.idleIntensity="1" '
        'device.prov.serverName="evil.example"/></PHONE_CONFIG>',
        ["device.auth.localAdminPassword", "device.prov.serverName", "reg.1.server.1.address"],
        '<PHONE_CONFIG><OVERRIDES up.backlight.idleIntensity="1"/></PHONE_CONFIG>',
    ),
}


@pytest.mark.parametrize("vendor", HOSTILE)
def test_what_would_take_the_phone_away_is_named_and_left_out(vendor: str) -> None:
    sent, refused, left = HOSTILE[vendor]
    assert refused_parameters(VENDORS[vendor].raw, sent) == refused
    assert without_refused(VENDORS[vendor].raw, sent) == left
    assert refused_parameters(VENDORS[vendor].raw, left) == []


def test_without_a_rule_nothing_can_be_given_back() -> None:
    assert refused_parameters(None, "a = 1\n") == []
    assert without_refused(None, "a = 1\n") == ""
