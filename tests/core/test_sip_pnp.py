"""SIP PnP messages: what a SUBSCRIBE says, and the two answers byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.catalogue import Catalogue
from provisioner.core.recognise import by_name, by_user_agent, hints_of
from provisioner.core.sip_pnp import LONGEST, accepted, answered_call, notified, parse_subscribe
from tests.conftest import load_cases
from tests.discovery.packets import subscribe

MAC = "001565f4f9e1"
LOCAL = ("192.168.1.213", 5060)
CASES = load_cases("pnp_cases")

CAPTURED = (
    b"SUBSCRIBE sip:MAC001565f4f9e1@224.0.1.75 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.168.1.160:5059;branch=z9hG4bK77\r\n"
    b"From: <sip:MAC001565f4f9e1@224.0.1.75>;tag=1928\r\n"
    b"To: <sip:MAC001565f4f9e1@224.0.1.75>\r\n"
    b"Call-ID: 1536537630@192.168.1.160\r\n"
    b"CSeq: 1 SUBSCRIBE\r\n"
    b"Contact: <sip:MAC001565f4f9e1@192.168.1.160:5059>\r\n"
    b"Max-Forwards: 70\r\n"
    b"User-Agent: Yealink W52P 25.81.0.10\r\n"
    b"Expires: 0\r\n"
    b'Event: ua-profile;profile-type="device";vendor="yealink";model="W52P";version="25.81.0.10"\r\n'
    b"Accept: application/url\r\n"
    b"Content-Length: 0\r\n\r\n"
)
"""Of a W52P, as captured: source in phone_templates/yealink/SOURCES.md."""


def of_case(case: dict) -> bytes:
    """Returns a whole SUBSCRIBE with the request address and the headers of a recorded case."""
    lines = CAPTURED.decode().split("\r\n")
    lines[0] = f"SUBSCRIBE {case.get('request_uri', 'sip:MAC001565f4f9e1@224.0.1.75')} SIP/2.0"
    for name, value in case.get("headers", {}).items():
        lines = [f"{name}: {value}" if line.startswith(f"{name}:") else line for line in lines]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("case", [case for case in CASES if "expected" in case], ids=lambda case: case["id"])
def test_recorded_case_says_who_asks(catalogue: Catalogue, case: dict) -> None:
    request, expected = parse_subscribe(of_case(case)), case["expected"]
    if expected.get("mac", MAC) is None:  # nobody's MAC is no request, and gets no answer
        assert request is None
        return
    assert request is not None
    assert request.mac == expected.get("mac", MAC)
    agent = by_user_agent(catalogue, request.user_agent) if "headers" in case else None
    if agent is None:  # pnp-003 shows the address alone
        assert by_name(catalogue, expected["vendor"])
        return
    assert agent.vendor == by_name(catalogue, expected["vendor"]) == by_name(catalogue, request.vendor)
    assert agent.firmware == request.version == expected["version"]
    # Of two names the one in the User-Agent counts (pnp-002).
    assert agent.model == expected.get("model", agent.model) and agent.model in request.user_agent


def test_answer_of_the_captured_request_byte_for_byte() -> None:
    request = parse_subscribe(CAPTURED)
    assert request is not None
    assert accepted(request, "srv-77aa", LOCAL) == (
        b"SIP/2.0 200 OK\r\n"
        b"Via: SIP/2.0/UDP 192.168.1.160:5059;branch=z9hG4bK77\r\n"
        b"From: <sip:MAC001565f4f9e1@224.0.1.75>;tag=1928\r\n"
        b"To: <sip:MAC001565f4f9e1@224.0.1.75>;tag=srv-77aa\r\n"
        b"Call-ID: 1536537630@192.168.1.160\r\n"
        b"CSeq: 1 SUBSCRIBE\r\n"
        b"Contact: <sip:192.168.1.213:5060>\r\n"
        b"Expires: 0\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


HEAD = (
    b"NOTIFY sip:MAC001565f4f9e1@192.168.1.160:5059 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.168.1.213:5060;branch=z9hG4bK-pnp-1a2b3c\r\n"
    b"Max-Forwards: 70\r\n"
    b"From: <sip:MAC001565f4f9e1@224.0.1.75>;tag=srv-77aa\r\n"
    b"To: <sip:MAC001565f4f9e1@224.0.1.75>;tag=1928\r\n"
    b"Call-ID: 1536537630@192.168.1.160\r\n"
    b"CSeq: 3 NOTIFY\r\n"
    b"Contact: <sip:192.168.1.213:5060>\r\n"
)
EVENT = b'Event: ua-profile;profile-type="device";vendor="yealink";model="W52P";version="25.81.0.10"\r\n'
TAIL = b"Subscription-State: terminated;reason=timeout\r\nContent-Type: application/url\r\n"
EXPECTED = {
    "yealink": EVENT + TAIL + b"Content-Length: 26\r\n\r\nhttp://192.168.1.213:8080/",
    "grandstream": b"Event: ua-profile\r\n" + TAIL + b"Content-Length: 28\r\n\r\nhttp://192.168.1.213:8080/\r\n",
    "Snom": EVENT + TAIL + b"Content-Length: 42\r\n\r\nhttp://192.168.1.213:8080/001565f4f9e1.xml",
    "Fanvil": EVENT + TAIL + b"Content-Length: 42\r\n\r\nhttp://192.168.1.213:8080/001565f4f9e1.cfg",
}


@pytest.mark.parametrize("maker", EXPECTED)
def test_each_maker_is_told_the_address_in_its_own_form(catalogue: Catalogue, maker: str) -> None:
    request = parse_subscribe(CAPTURED)
    assert request is not None
    hints = hints_of(catalogue, maker)
    url = hints.pnp_url.replace("{url}", "http://192.168.1.213:8080/").replace("{mac}", request.mac)
    made = notified(request, url, "srv-77aa", "1a2b3c", LOCAL, event=hints.pnp_event, ends_line=hints.pnp_ends_line)
    assert made == HEAD + EXPECTED[maker]


def test_makers_without_pnp_have_no_address_for_it(catalogue: Catalogue) -> None:
    assert [maker for maker in ("polycom", "Cisco", "Gigaset", "nobody") if hints_of(catalogue, maker).pnp_url] == []


@pytest.mark.parametrize(
    "spoilt",
    [
        CAPTURED.replace(b"SUBSCRIBE sip:", b"REGISTER sip:"), CAPTURED.replace(b"ua-profile", b"presence"), CAPTURED.replace(b"Via:", b"Vy:"),
        CAPTURED.replace(b"CSeq: 1", b"CSeq: x"), CAPTURED.replace(b"Call-ID", b"Call-IX"), CAPTURED + b"x" * LONGEST,
        CAPTURED.replace(b"Expires: 0", b"\r\n".join([b"X: y"] * 80)), CAPTURED.replace(b"Expires: 0", b"X: " + b"y" * 600),
        CAPTURED.replace(b"Expires: 0", b"X: \x00"), CAPTURED.replace(b"MAC001565f4f9e1@224", b"MACffffffffffff@224"),
    ],
)  # fmt: skip
def test_what_is_no_request_of_a_phone_is_none(spoilt: bytes) -> None:
    assert parse_subscribe(spoilt) is None


def test_only_a_response_ends_a_request() -> None:
    answer = b"SIP/2.0 200 OK\r\nVia: x\r\nCall-ID: abc@1.2.3.4\r\nCSeq: 3 NOTIFY\r\n\r\n"
    assert answered_call(answer) == "abc@1.2.3.4"
    assert answered_call(answer.replace(b"200 OK", b"100 Trying")) is None
    assert answered_call(CAPTURED) is None


@given(st.binary(max_size=600), st.integers(0, 900), st.sampled_from(["yealink", "grandstream", "snom", "fanvil"]))
def test_nothing_that_is_sent_breaks_the_reading_or_the_answer(noise: bytes, at: int, maker: str) -> None:
    good = subscribe(maker, MAC)
    for data in (noise, b"SUBSCRIBE " + noise, good[:at] + noise + good[at:], good[:at]):
        answered_call(b"SIP/2.0 200 " + data)
        request = parse_subscribe(data)
        if request is not None:
            for made in (accepted(request, "t", LOCAL), notified(request, "http://x/", "t", "b", LOCAL)):
                head, _, body = made.partition(b"\r\n\r\n")
                assert head.count(b"\r\nContent-Length: ") == 1 and int(head.rpartition(b": ")[2]) == len(body)
                assert not set(head) & (set(range(9)) | {0x0B, 0x0C, 0x7F})
