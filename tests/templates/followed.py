"""A value of every setting other than its default, to see whether a file follows the setting."""

from __future__ import annotations

from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()

# A value of each setting other than its default, and what must be chosen beside it for it to matter.
OTHER: dict[str, object] = {
    "sip_server": "other.example", "outbound_proxy": "proxy.example", "codecs": "pcma", "voicemail_number": "*98", "pickup_code": "*7",
    "group_pickup_code": "*6", "intercom_code": "*5", "timezone": "Asia/Tokyo", "ntp_server": "time.example", "language": "de",
    "admin_password": "other", "user_password": "other", "syslog_server": "other.example", "firmware_url": "x/y.bin", "line_label": "name",
    "second_sip_server": "two.example", "dial_plan": "[1-8]xxx", "emergency_numbers": "999", "hotline_number": "100", "ring_tone": 1,
    "paging_listen": "224.0.1.1:5001", "paging_label": "P", "alert_1_text": "a", "alert_2_text": "b", "alert_3_text": "c", "alert_2_ring": 1,
    "second_ntp_server": "t2.example", "tone_country": "nl", "dot1x_user": "u", "dot1x_password": "pw", "wallpaper": "w.jpg",
    "phonebook_url": "http://x.example/book", "phonebook_user": "u", "phonebook_password": "pw", "ldap_server": "l.example", "ldap_base": "dc=x",
    "ldap_user": "u", "ldap_password": "pw", "ldap_name_filter": "(a=%)", "ldap_number_filter": "(b=%)", "ldap_name_attributes": "a",
    "ldap_number_attributes": "b", "ldap_display": "%a", "forward_always": "1", "forward_busy": "2", "forward_no_answer": "3", "logo": "l.dob",
    "language_file": "x", "ring_tone_file": "x", "phonebook_name": "x", "alert_1_ring": 1, "alert_3_ring": 1, "srtp": "required",
    "screensaver_s": 600, "send_key": "none", "backlight_s": 0,
}  # fmt: skip
BESIDE: dict[str, object] = {
    "syslog_server": "log.example", "second_sip_server": "two.example", "outbound_proxy": "proxy.example", "voice_vlan": 5,
    "phonebook_url": "http://x.example/b", "paging_listen": "224.0.1.9:5001", "forward_default": "set", "ldap_server": "dir.example",
}  # fmt: skip
DAILY = {"provisioning_from_hour", "provisioning_to_hour"}


def beside(name: str) -> dict[str, object]:
    """Returns what is chosen beside a setting so that it matters."""
    hidden = {name, "phonebook_url"} if name == "phonebook" else {name}  # the address of another book stands over the one of ours
    return {other: value for other, value in BESIDE.items() if other not in hidden} | (
        {"provisioning_daily": True} if name in DAILY else {}
    )


def other_value(name: str) -> object:
    """Returns a value of a setting other than its default."""
    row = CATALOGUE.settings[name]
    if name in OTHER:
        return OTHER[name]
    if row.name.startswith("action_url"):
        return "http://hook.example/"
    if row.type == "boolean":
        return not row.default
    return next(choice for choice in row.choices if choice != row.default) if row.choices else row.maximum
