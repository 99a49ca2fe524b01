"""Digest and Basic credentials of phones: what is good, what is bad, and what asks for a new challenge."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.mac import Mac
from provisioner.core.values import FileRequest, Method
from provisioner.digest import REALM, UPLOADS, PhoneCredentials
from provisioner.nonces import NONCE_S, Nonces
from provisioner.secrets import SecretBox
from tests.engines import Clock

BOX = SecretBox(bytes(range(32)))
MAC, OTHER = Mac("805ec0aabbcc"), Mac("805ec0aabbcd")
PATH = "805ec0aabbcc.cfg"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def digest(
    nonce: str,
    *,
    user: str = MAC,
    password: str = "",
    uri: str = f"/{PATH}",
    method: str = "GET",
    qop: bool = True,
    nc: str = "00000001",
    **more: str,
) -> str:
    password = password or BOX.phone_password(MAC, "digest")
    middle = f"{nonce}:{nc}:abc:auth" if qop else nonce
    response = md5(f"{md5(f'{user}:{REALM}:{password}')}:{middle}:{md5(f'{method}:{uri}')}")
    pairs = {"username": user, "realm": REALM, "nonce": nonce, "uri": uri, "response": response, **more}
    quoted = ", ".join(f'{name}="{value}"' for name, value in pairs.items())
    return f"Digest {quoted}" + (f', qop=auth, nc={nc}, cnonce="abc"' if qop else "")


def judge(credentials: PhoneCredentials, authorization: str, mac: Mac = MAC, method: Method = "GET", path: str = PATH) -> str:
    return credentials(FileRequest(path, "http", "192.0.2.1", "", method, authorization), mac)


def nonce_of(credentials: PhoneCredentials) -> str:
    found = re.search(r'nonce="([^"]+)"', credentials.challenges()[0])
    assert found
    return found[1]


@pytest.fixture
def clock() -> Clock:
    return Clock(1_700_000_000.0)


@pytest.fixture
def credentials(clock: Clock) -> PhoneCredentials:
    return PhoneCredentials(BOX, Nonces(clock))


def test_digest_comes_before_basic(credentials: PhoneCredentials) -> None:
    assert [line.partition(" ")[0] for line in credentials.challenges()] == ["Digest", "Basic"]


@pytest.mark.parametrize("user", [MAC, MAC.upper(), MAC.colons, MAC.colons.upper().replace(":", "-")])
def test_the_mac_in_any_spelling_is_the_user(credentials: PhoneCredentials, user: str) -> None:
    if ":" not in user:  # Basic cannot carry a colon in the user (RFC 7617 section 2)
        assert judge(credentials, basic(user, BOX.phone_password(MAC, "digest"))) == "good"
    assert judge(credentials, digest(nonce_of(credentials), user=user)) == "good"


def test_digest_without_qop_as_rfc_2069_has_it(credentials: PhoneCredentials) -> None:
    assert judge(credentials, digest(nonce_of(credentials), qop=False)) == "good"


def test_digest_of_an_upload(credentials: PhoneCredentials) -> None:
    uri = f"/{MAC}-app.log"
    assert judge(credentials, digest(nonce_of(credentials), uri=uri, method="PUT"), method="PUT", path=uri[1:]) == "good"
    assert judge(credentials, digest(nonce_of(credentials), uri=uri, method="GET"), method="PUT", path=uri[1:]) == "bad"


def test_a_percent_encoded_uri_is_its_path(credentials: PhoneCredentials) -> None:
    path = f"{MAC.colons}.cfg"
    assert judge(credentials, digest(nonce_of(credentials), uri="/" + path.replace(":", "%3A")), path=path) == "good"


BAD = {
    "basic with any user and the right password (auth-008)": lambda: basic("whatever", BOX.phone_password(MAC, "digest")),
    "basic with another phone's user": lambda: basic(OTHER, BOX.phone_password(MAC, "digest")),
    "basic with another phone's password": lambda: basic(MAC, BOX.phone_password(OTHER, "digest")),
    "basic with the phone's web password": lambda: basic(MAC, BOX.phone_password(MAC, "admin")),
    "basic with an empty password": lambda: basic(MAC, ""),
    "basic without a colon": lambda: "Basic " + base64.b64encode(MAC.encode()).decode(),
    "factory user PlcmSpIp (auth-026)": lambda: basic("PlcmSpIp", "PlcmSpIp"),
    "factory user admin": lambda: basic("admin", "admin"),
    "basic that is no base64": lambda: "Basic !!!!",
    "basic beyond ASCII": lambda: "Basic caf\xe9caf\xe9",
    "basic that is no UTF-8": lambda: "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
    "digest with an answer beyond ASCII": None,
}


@pytest.mark.parametrize("case", BAD)
def test_bad_credentials(credentials: PhoneCredentials, case: str) -> None:
    make = BAD[case]
    text = make() if make else digest(nonce_of(credentials), response="caf\xe9\u0100")
    assert judge(credentials, text) == "bad"


@pytest.mark.parametrize(
    "more",
    [
        {"password": "wrong"}, {"user": OTHER}, {"user": "PlcmSpIp"}, {"uri": "/other.cfg"}, {"uri": ""}, {"method": "PUT"},
        {"response": ""}, {"response": "0" * 32},
    ],
    ids=str,
)  # fmt: skip
def test_a_digest_of_something_else_is_bad(credentials: PhoneCredentials, more: dict[str, str]) -> None:
    assert judge(credentials, digest(nonce_of(credentials), **more)) == "bad"


def test_good_credentials_of_one_phone_are_bad_for_another(credentials: PhoneCredentials) -> None:
    assert judge(credentials, digest(nonce_of(credentials)), OTHER) == "bad"
    assert judge(credentials, basic(MAC, BOX.phone_password(MAC, "digest")), OTHER) == "bad"


def test_a_header_is_good_once(credentials: PhoneCredentials) -> None:
    text = digest(nonce_of(credentials))
    assert [judge(credentials, text) for _ in range(3)] == ["good", "stale", "stale"]


def test_the_same_nonce_goes_on_with_the_next_count(credentials: PhoneCredentials) -> None:
    nonce = nonce_of(credentials)
    texts = [digest(nonce, nc=f"{count:08x}") for count in (1, 2, 3, 0x10, 0x0F, 0xFFFFFFFF)]
    assert [judge(credentials, text) for text in texts] == ["good"] * 6
    assert [judge(credentials, text) for text in texts] == ["stale"] * 6


@pytest.mark.parametrize("nc", ["", "x", "000000001", "-0000001", "\u0661"], ids=repr)
def test_a_count_that_is_none_makes_the_nonce_good_once(credentials: PhoneCredentials, nc: str) -> None:
    nonce = nonce_of(credentials)
    assert [judge(credentials, digest(nonce, nc=count)) for count in (nc, nc, "00000002")] == ["good", "stale", "stale"]


def test_without_qop_a_nonce_is_good_for_one_request(credentials: PhoneCredentials) -> None:
    nonce = nonce_of(credentials)
    assert [judge(credentials, digest(nonce, qop=False)) for _ in range(2)] == ["good", "stale"]
    assert judge(credentials, digest(nonce)) == "stale"
    other = nonce_of(credentials)
    assert [judge(credentials, digest(other, qop=qop)) for qop in (True, False)] == ["good", "stale"]


def test_an_upload_is_judged_twice_and_sent_once(credentials: PhoneCredentials) -> None:
    uri = f"/{MAC}-app.log"
    request = FileRequest(uri[1:], "http", "192.0.2.1", "", "PUT", digest(nonce_of(credentials), uri=uri, method="PUT"))
    assert [credentials(request, MAC) for _ in range(2)] == ["good", "good"], "at its head and with its body"
    assert credentials(request._replace(peer="192.0.2.1"), MAC) == "stale", "another request with the same header"
    nonce = nonce_of(credentials)
    for count in range(UPLOADS):
        credentials(request._replace(authorization=digest(nonce, uri=uri, method="PUT", nc=f"{count:08x}")), MAC)
    assert credentials(request, MAC) == "stale", "so many are remembered"


def test_an_old_nonce_is_asked_for_again_and_accuses_nobody(credentials: PhoneCredentials, clock: Clock) -> None:
    text, late = digest(nonce_of(credentials)), digest(nonce_of(credentials))
    clock.now += NONCE_S
    assert judge(credentials, text) == "good"
    clock.now += 1
    assert judge(credentials, late) == "stale"


def test_a_nonce_of_another_process_or_of_nobody_is_asked_for_again(credentials: PhoneCredentials, clock: Clock) -> None:
    foreign = nonce_of(PhoneCredentials(BOX, Nonces(clock)))
    own = nonce_of(credentials)
    forged = own[:-1] + ("0" if own[-1] != "0" else "1")
    for nonce in (foreign, forged, own[:48], own[48:], f"{own}0", "", "-", "0" * 80, "caf\xe9-\xe9"):
        assert judge(credentials, digest(nonce)) == "stale"
        assert judge(credentials, digest(nonce, password="wrong")) == "bad", "no nonce makes a wrong password worth another try"
    assert judge(credentials, digest(own)) == "good"


def test_a_stale_challenge_says_so_and_no_other_does(credentials: PhoneCredentials) -> None:
    assert ", stale=true, nonce=" in credentials.challenges(is_stale=True)[0]
    assert not [line for line in credentials.challenges() if "stale" in line]
    nonces = {nonce_of(credentials) for _ in range(100)}
    assert len(nonces) == 100
    assert {len(nonce) for nonce in nonces} == {80}


@pytest.mark.parametrize("text", ["", "Bearer x", "Digest", "Digest ,,,", "Basic", "\x00", "NTLM TlRMTVNTUA=="])
def test_what_is_no_proof_is_not_good(credentials: PhoneCredentials, text: str) -> None:
    assert judge(credentials, text) in {"none", "bad"}


@given(st.sampled_from(["Basic ", "Digest ", 'Digest username="805ec0aabbcc", uri="/805ec0aabbcc.cfg", nonce=']), st.text(max_size=200))
def test_no_header_raises_or_is_good(scheme: str, text: str) -> None:
    assert judge(PhoneCredentials(BOX), scheme + text) in {"none", "bad"}
