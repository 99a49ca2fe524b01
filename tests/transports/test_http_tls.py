"""HTTPS: the same listener behind TLS, and the client's certificate as far as it is asked for."""

from __future__ import annotations

import datetime
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from provisioner.core.values import FileRequest
from provisioner.parts.certificate import own_certificate
from provisioner.transports.http_wire import subject_of, tls_context
from tests.contract.world import wait_until
from tests.transports.own_listener import Listening, answer_on, listening, request, rest_of


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Returns certificate and key of a phone that its maker signed; here it is its own maker."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(7)
    made = made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def client(folder: Path, own: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "tls.crt"))
    if own is not None:
        context.load_cert_chain(*own)
    return context


def secured(here: Listening, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(here.connect(), server_hostname="127.0.0.1")


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Path]:
    return own_certificate(tmp_path, "127.0.0.1")


@pytest.mark.parametrize("year", [1970, 2026, 2040])
def test_a_certificate_of_ones_own_is_good_whatever_the_clock_said_when_it_was_made(tmp_path: Path, year: int) -> None:
    """Was: one made in 1970, before the network set the clock, had run out for good; one made in 2040 was not valid for years."""
    path, key = own_certificate(tmp_path, "127.0.0.1", datetime.datetime(year, 6, 1, tzinfo=datetime.UTC))
    made = x509.load_pem_x509_certificate(path.read_bytes())
    now = datetime.datetime.now(datetime.UTC)
    assert made.not_valid_before_utc < now < made.not_valid_after_utc
    bytes_of_key, later = key.read_bytes(), made.not_valid_after_utc + datetime.timedelta(days=1)
    assert own_certificate(tmp_path, "127.0.0.1", later - datetime.timedelta(days=2)) == (path, key)
    assert x509.load_pem_x509_certificate(path.read_bytes()) == made, "it stays while it is valid"
    own_certificate(tmp_path, "127.0.0.1", later)
    again = x509.load_pem_x509_certificate(path.read_bytes())
    assert again.not_valid_after_utc > later and again.public_key() == made.public_key() and key.read_bytes() == bytes_of_key
    assert key.stat().st_mode & 0o777 == 0o600 and {item.name for item in tmp_path.iterdir()} == {"tls.crt", "tls.key"}
    assert tls_context(path, key, None)


def test_files_small_and_large_come_whole_over_tls(tmp_path: Path, made: tuple[Path, Path]) -> None:
    with listening(tmp_path, tls_context(*made, None)) as here:
        content = bytes(range(256)) * 20_000
        (tmp_path / "tftp_root" / "big.rom").write_bytes(content)
        phone = here.phone()
        with secured(here, client(tmp_path)) as connection:
            assert connection.version() in ("TLSv1.2", "TLSv1.3")
            for _ in range(3):
                connection.sendall(request(phone.name, phone.agent))
                assert answer_on(connection) == (200, here.own.ask(phone.name, phone.agent, peer="127.0.0.1").body)
            connection.sendall(request("big.rom") + request("nothing"))
            assert answer_on_first(connection, len(content)) == content
            connection.sendall(request("nothing", close=True))
            assert rest_of(connection).count(b"HTTP/1.1 404 ") == 2
        rows = here.fetches()
        assert {row.transport for row in rows} == {"https"}
        assert next(row.bytes for row in rows if row.name == "big.rom") == len(content)


def answer_on_first(connection: socket.socket, length: int) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1000)
    body = data.partition(b"\r\n\r\n")[2]
    while len(body) < length:
        body += connection.recv(min(65536, length - len(body)))
    return body


def test_an_upload_comes_over_tls(tmp_path: Path, made: tuple[Path, Path]) -> None:
    with listening(tmp_path, tls_context(*made, None)) as here:
        phone = here.phone("polycom/vvx411")
        body = b"x" * 200_000
        with secured(here, client(tmp_path)) as connection:
            connection.sendall(request(f"{phone.mac}-app.log", phone.agent, f"Content-Length: {len(body)}", method="PUT") + body)
            assert answer_on(connection)[0] == 200
        found = here.own.installation.store.upload_body(phone.mac, f"{phone.mac}-app.log")
        assert found is not None
        assert found[1] == body


def test_a_phones_certificate_is_asked_for_verified_and_told_on(
    tmp_path: Path, made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, stranger = certificate(tmp_path, "805EC0AABBCC"), certificate(tmp_path, "stranger")
    with listening(tmp_path, tls_context(*made, trusted[0])) as here:
        asked: list[FileRequest] = []
        answer = here.own.server.answer
        monkeypatch.setattr(here.service, "_answer", lambda request: (asked.append(request), answer(request))[1])
        for own in (trusted, None):
            with secured(here, client(tmp_path, own)) as connection:
                connection.sendall(request("nothing"))
                assert answer_on(connection)[0] == 404
        assert [request.tls_subject for request in asked] == ["CN=805EC0AABBCC,O=Acme", ""]
        with pytest.raises((ssl.SSLError, ConnectionError)), secured(here, client(tmp_path, stranger)) as connection:
            connection.sendall(request("nothing"))
            assert connection.recv(10) == b"", "refused after the handshake, as TLS 1.3 does it"
            raise ConnectionError
        assert len(asked) == 2


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 300], ids=["plain HTTP", "half a hello", "zeros"]
)
def test_what_is_no_tls_ends_its_connection_alone(tmp_path: Path, made: tuple[Path, Path], sent: bytes) -> None:
    with listening(tmp_path, tls_context(*made, None)) as here:
        with here.connect() as connection:
            connection.sendall(sent)
            with suppress(OSError):  # the server may have ended it before we do
                connection.shutdown(socket.SHUT_WR)
            rest_of(connection)
        wait_until(lambda: not here.listener._connections, what="its end")
        with here.connect(), secured(here, client(tmp_path)) as connection:
            connection.sendall(request("nothing"))
            assert answer_on(connection)[0] == 404


def test_old_tls_is_not_spoken(tmp_path: Path, made: tuple[Path, Path]) -> None:
    with listening(tmp_path, tls_context(*made, None)) as here:
        old = client(tmp_path)
        old.minimum_version = ssl.TLSVersion.TLSv1_2
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with secured(here, old) as connection:
            assert connection.version() == "TLSv1.2"
        assert tls_context(*made, None).minimum_version == ssl.TLSVersion.TLSv1_2


def test_who_takes_nothing_over_tls_holds_up_nobody(tmp_path: Path, made: tuple[Path, Path]) -> None:
    with listening(tmp_path, tls_context(*made, None)) as here:
        with (tmp_path / "tftp_root" / "big.rom").open("wb") as big:
            big.truncate(20 << 20)
        with secured(here, client(tmp_path)) as slow, secured(here, client(tmp_path)) as quick:
            slow.sendall(request("big.rom"))
            time.sleep(0.1)
            quick.sendall(request("nothing"))
            assert answer_on(quick)[0] == 404


def test_a_subject_is_spelled_most_particular_name_first() -> None:
    assert subject_of({"subject": ((("countryName", "CN"),), (("organizationName", "A"),), (("commonName", "x"),))}) == "CN=x,O=A,C=CN"
    assert subject_of({}) == ""
