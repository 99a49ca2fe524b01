"""Heads that are looked up say what reading them says, whatever a User-Agent holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.transports.http_request import MAX_BLOCK, BadHead, Fields, Heads

LINE = b"GET /805ec0aabbcc.cfg HTTP/1.1\r\n"
OTHERS = (
    b"Host: prov.example\r\n",
    b"Accept: */*\r\n",
    b"Connection: close\r\n",
    b"Authorization: Basic YTpi\r\n",
    b"Content-Length: 3\r\n",
)
TRICKS = (
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b"User-Agent: a\r\n",
    b"user-agent: b\r\n",
    b"\r\n fold",
    b"\x00",
    b"\xff",
    b"Phone/1.0",
)
agents = st.lists(st.sampled_from(TRICKS), max_size=4).map(b"".join)
blocks = st.builds(
    lambda others, agent, at: b"".join(others[:at]) + b"User-Agent: " + agent + b"\r\n" + b"".join(others[at:]) + b"\r\n",
    st.lists(st.sampled_from(OTHERS), max_size=3),
    agents,
    st.integers(0, 3),
)


def read(block: bytes) -> Fields | None:
    try:
        return Heads().full(LINE + block).fields
    except BadHead:
        return None


@given(st.lists(blocks, min_size=2, max_size=6))
def test_what_is_looked_up_is_what_would_be_read(came: list[bytes]) -> None:
    heads = Heads()
    for block in came:
        quick = heads.quick(LINE + block)
        if quick is not None:
            end = block.find(b"\r\n\r\n") + 4
            assert (end, quick[1]) == (len(block), read(block))
        elif block.find(b"\r\n\r\n") + 4 == len(block) and read(block) is not None:
            heads.full(LINE + block)


def known(*lines: bytes) -> Heads:
    heads = Heads()
    heads.full(LINE + b"".join(lines) + b"\r\n")
    return heads


def test_a_phone_that_differs_in_its_user_agent_alone_is_known() -> None:
    heads = known(b"Host: a\r\n", b"User-Agent: Yealink SIP-T46U 108.86.0.20 80:5e:c0:00:00:01\r\n", b"Accept: */*\r\n")
    found = heads.quick(LINE + b"Host: a\r\nUser-Agent: Yealink SIP-T46U 108.86.0.20 80:5e:c0:00:00:02\r\nAccept: */*\r\n\r\n")
    assert found == ("805ec0aabbcc.cfg", Fields(user_agent="Yealink SIP-T46U 108.86.0.20 80:5e:c0:00:00:02"))


@pytest.mark.parametrize(
    "block",
    [
        b"Host: a\r\nUser-Agent: b\r\nAccept: x\r\n\r\n",
        b"Host: a\r\nUser-Agent: b\r\nUser-Agent: c\r\n\r\n",
        b"Host: a\r\n\r\nUser-Agent: b\r\n",
        b"Host: a\r\nUser-Agent: b\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        b"Host: a\r\nUser-Agent: b\r\n more\r\n\r\n",
        b"Host: a\r\nUser-Agent:b\r\n\r\n",
        b"Host: a\r\nUser-Agent: " + b"b" * MAX_BLOCK + b"\r\n\r\n",
    ],
)
def test_what_differs_in_more_is_read(block: bytes) -> None:
    assert known(b"Host: a\r\n", b"User-Agent: a\r\n").quick(LINE + block) is None
