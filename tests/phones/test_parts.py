"""The simulated phone's own parts, against published vectors: what proves the product must be right itself."""

from __future__ import annotations

import pytest

from tests.phones import digest
from tests.phones.config import Unreadable
from tests.phones.grandstream import parameters as grandstream_parameters
from tests.phones.lamps import MessageLamp, WatchedLamp
from tests.phones.media import decode_ulaw, encode_ulaw, share_of, tone_frames
from tests.phones.message import NotSIP, address, parameter, parse, request, response
from tests.phones.yealink import config_of, parameters


def test_credentials_without_qop_are_those_of_the_standards_example() -> None:
    """RFC 2617 3.5 has qop=auth with a client nonce of its own; without qop its parts give this value (RFC 2069's rule)."""
    given = digest.credentials(
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
        "Mufasa",
        "Circle Of Life",
        "GET",
        "/dir/index.html",
    )
    assert digest.fields(given)["response"] == "670fd8c2df070c60b045671b8b24ff02"


def test_credentials_with_qop_prove_the_secret_over_the_clients_nonce() -> None:
    challenge = 'Digest realm="asterisk",nonce="n1",opaque="o1",algorithm=MD5,qop="auth"'
    given = digest.fields(digest.credentials(challenge, "1001", "geheim", "REGISTER", "sip:h"))
    first, second = digest.md5("1001:asterisk:geheim"), digest.md5("REGISTER:sip:h")
    assert given["response"] == digest.md5(f"{first}:n1:00000001:{given['cnonce']}:auth:{second}")
    assert (given["qop"], given["nc"], given["opaque"]) == ("auth", "00000001", "o1")


def test_a_challenge_that_no_phone_can_answer_is_not_answered() -> None:
    with pytest.raises(ValueError, match="cannot answer"):
        digest.credentials('Digest realm="r", nonce="n", algorithm=SHA-256', "u", "s", "REGISTER", "sip:h")


@pytest.mark.parametrize(("sample", "byte"), [(0, 0xFF), (-1, 0x7F), (32767, 0x80), (-32768, 0x00), (1000, 0xCE)])
def test_speech_is_encoded_as_the_standards_table_says(sample: int, byte: int) -> None:
    assert encode_ulaw(sample) == byte


def test_every_code_of_speech_comes_back_as_itself() -> None:
    for byte in range(256):
        if byte != 0x7F:  # minus zero
            assert encode_ulaw(decode_ulaw(byte)) == byte


def test_a_tone_is_told_from_its_neighbours_and_from_silence() -> None:
    speech = b"".join(tone_frames(700)[:20])
    assert share_of(700, speech) > 0.95
    assert share_of(650, speech) < 0.05 and share_of(750, speech) < 0.05
    assert share_of(700, b"\xff" * 3200) == 0.0


def test_a_message_is_read_as_it_was_written() -> None:
    sent = request(
        "NOTIFY", "sip:1001@h", [("Via", "SIP/2.0/UDP h;branch=z9hG4bK1"), ("CSeq", "7 NOTIFY"), ("f", '"A; b" <sip:a@h>;tag=x')], "böse"
    )
    read = parse(sent.encode())
    assert (read.method, read.uri, read.sequence, read.branch, read.body) == ("NOTIFY", "sip:1001@h", 7, "z9hG4bK1", "böse")
    assert address(read.get("From")) == "sip:a@h" and parameter(read.get("From"), "tag") == "x"
    answer = response(parse(sent.encode()), 200, "OK", "y")
    assert (answer.status, answer.method) == (200, "NOTIFY")
    with pytest.raises(NotSIP):
        parse(b"\r\n\r\n")


DIALOGS = (
    '<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:1">{}</dialog-info>'
)


def test_a_lamp_shows_every_state_once() -> None:
    lamp = WatchedLamp("1002")
    for state in ("early", "early", "confirmed"):
        lamp.read(DIALOGS.format(f'<dialog id="1"><state>{state}</state></dialog>'))
    lamp.read(DIALOGS.format(""))
    assert lamp.seen == ["early", "confirmed", "terminated"]


def test_the_message_lamp_counts_new_messages() -> None:
    lamp = MessageLamp()
    lamp.read("Messages-Waiting: yes\r\nMessage-Account: sip:*97@h\r\nVoice-Message: 2/5 (0/0)\r\n")
    assert (lamp.is_lit, lamp.new) == (True, 2)
    lamp.read("Messages-Waiting: no\r\nVoice-Message: 0/7 (0/0)\r\n")
    assert (lamp.is_lit, lamp.new) == (False, 0)


def test_a_yealink_keeps_what_a_file_leaves_empty_and_forgets_what_it_nulls() -> None:
    before = {"account.1.label": "old", "account.1.password": "old"}
    known = parameters(b"#!version:1.0.0.1\n# no = comment\naccount.1.label =\naccount.1.password = %NULL%\naccount.1.enable = 1\n", before)
    assert known == {"account.1.label": "old", "account.1.enable": "1"}
    with pytest.raises(Unreadable):
        parameters(b"\n#!version:1.0.0.1\n", {})


def test_a_yealink_dials_the_pickup_code_and_the_number() -> None:
    known = {
        "linekey.2.type": "16",
        "linekey.2.value": "1002",
        "linekey.2.extension": "*8",
        "linekey.3.type": "15",
        "linekey.3.value": "1001",
    }
    assert [(key.number, key.pickup) for key in config_of(known).watched] == [("1002", "*81002")]


@pytest.mark.parametrize(
    "body",
    [
        "<gs_provision><mac>000b82000002</mac><config version='1'><P2>x</P2></config></gs_provision>",
        "<gs_provision><config version='1'><P2>x</P2><item name='a'>b</item></config></gs_provision>",
        "<gs_provision><config version='2'><P2>x</P2></config></gs_provision>",
        "<gs_provision><config version='1'><P2>x</P2>",
        "<other/>",
    ],
    ids=["another phone's MAC", "P-values and aliases mixed", "P-values in an aliases file", "cut off", "something else"],
)
def test_a_grandstream_throws_away_what_its_firmware_would(body: str) -> None:
    with pytest.raises(Unreadable):
        grandstream_parameters(body.encode(), "000b82000001", {})
