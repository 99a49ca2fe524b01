"""The filter of the how-to on scanners: it counts what it says, by the address that asked, and no text of a stranger's can change that."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.mac import Mac
from provisioner.core.values import Fetch, Reason
from provisioner.recorder import access_line

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "block-scanners.md"
BLOCKS = re.findall(r"```ini\n(.*?)```", HOWTO.read_text("utf-8"), re.DOTALL)
COUNTED = {Reason.UNKNOWN_PHONE, Reason.BAD_TOKEN, Reason.BAD_CREDENTIALS, Reason.TOO_MANY_GUESSES, Reason.NOT_A_PHONE}
PEER = "198.51.100.7"


def pattern() -> re.Pattern[str]:
    """The filter's pattern, with an address of either kind in the place of fail2ban's own word for one."""
    filters = configparser.RawConfigParser()
    filters.read_string(BLOCKS[0])
    return re.compile(filters["Definition"]["failregex"].replace("<ADDR>", r"(?P<address>[0-9A-Fa-f.:]+)"))


SEEN = Fetch(1795712588.5, "805ec0aabbcc.cfg", "http", PEER, "", "GET", Reason.UNKNOWN_PHONE, Mac("805ec0aabbcc"), "", "", 10, 0.1, 0)


@pytest.mark.parametrize("before", ["", "pbx provisioner[812]: "])
@pytest.mark.parametrize("reason", list(Reason))
def test_it_counts_what_it_says(reason: Reason, before: str) -> None:
    line = access_line(SEEN._replace(reason=reason))
    assert bool(pattern().match(before + line)) is (reason in COUNTED)
    assert bool(pattern().match(line.partition(" ")[2])) is (reason in COUNTED), "without the time, as fail2ban reads a file"


@pytest.mark.parametrize("peer", [PEER, "2001:db8::7"])
def test_it_finds_the_address(peer: str) -> None:
    found = pattern().match(access_line(SEEN._replace(peer=peer)))
    assert found is not None
    assert found["address"] == peer


def test_it_does_not_count_datagrams() -> None:
    assert pattern().match(access_line(SEEN._replace(transport="tftp"))) is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_nobody_can_have_another_blocked(path: str, agent: str) -> None:
    forged = f"{path} transport=http peer=203.0.113.9 method=GET\nat=1 reason=unknown_phone mac=- file=x transport=http peer=203.0.113.9 method=GET"
    written = access_line(SEEN._replace(path=forged, user_agent=f"{agent}\n{forged}"))
    assert written.count("\n") == 1
    found = pattern().match(written)
    assert found is not None
    assert found["address"] == PEER


def test_the_jail_is_the_filters() -> None:
    jail = configparser.RawConfigParser()
    jail.read_string(BLOCKS[1])
    assert jail.sections() == ["provisioner"]
    assert int(jail["provisioner"]["maxretry"]) >= 50
