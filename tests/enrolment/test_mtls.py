"""A site with ``mtls``: the certificate that its maker burned into a phone is the proof, over real TLS, and for that phone alone."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from provisioner.core.values import Reason
from provisioner.errors import SettingsError
from provisioner.parts.certificate import own_certificate
from provisioner.settings import load_settings
from provisioner.transports.http_wire import tls_context
from tests.contract.world import Phone
from tests.transports.own_listener import Listening, answer_on, listening, request

MAKER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Equipment Issuing CA"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Maker")])


class Maker:
    """A maker's authority, and the factory where it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / "maker.crt"
        self.file.write_bytes(self._signed(MAKER, self.key.public_key(), is_authority=True))

    def phone(self, common_name: str, organisation: str = "Maker") -> tuple[Path, Path]:
        """Returns certificate and key of a phone."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        name = f"{len(list(self.folder.iterdir()))}"
        paths = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        paths[0].write_bytes(self._signed(x509.Name(names), key.public_key(), is_authority=False))
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return paths

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(MAKER).public_key(key)
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        made = made.not_valid_after(now + datetime.timedelta(days=1))
        made = made.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        return made.sign(self.key, SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    folder = tmp_path / "maker"
    folder.mkdir()
    return Maker(folder)


@pytest.fixture
def secured(tmp_path: Path, maker: Maker) -> Iterator[Listening]:
    with listening(tmp_path, tls_context(*own_certificate(tmp_path, "127.0.0.1"), maker.file)) as here:
        yield here


def fetched(here: Listening, tmp_path: Path, path: str, phone: Phone, own: tuple[Path, Path] | None) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
    if own is not None:
        context.load_cert_chain(*own)
    with context.wrap_socket(here.connect(), server_hostname="127.0.0.1") as connection:
        connection.sendall(request(path, phone.agent))
        return answer_on(connection)


def mtls_phone(here: Listening) -> Phone:
    return here.own.phone(site=here.own.site("mtls", ("127.0.0.0/8",)))


@pytest.mark.parametrize("spelled", [str.upper, str.lower, lambda mac: ":".join(mac[at : at + 2] for at in range(0, 12, 2))])
def test_a_phone_is_served_by_its_factory_certificate_alone(secured: Listening, tmp_path: Path, maker: Maker, spelled) -> None:
    phone = mtls_phone(secured)
    status, body = fetched(secured, tmp_path, phone.name, phone, maker.phone(spelled(phone.mac)))
    assert status == 200
    assert phone.secret.encode() in body


def test_whoever_has_no_certificate_or_anothers_gets_a_strangers_bytes(secured: Listening, tmp_path: Path, maker: Maker) -> None:
    phone, other = mtls_phone(secured), mtls_phone(secured)
    stranger = fetched(secured, tmp_path, "805ec0fffffe.cfg", phone, None)
    for own in (
        None,
        maker.phone(other.mac.upper()),
        maker.phone("Generic Device"),
        maker.phone("Generic Device", organisation=f"Maker,CN={phone.mac}"),
    ):
        assert fetched(secured, tmp_path, phone.name, phone, own) == stranger
    assert stranger[0] == 404


def test_anothers_certificate_spoils_even_the_phones_own_address(secured: Listening, tmp_path: Path, maker: Maker) -> None:
    phone, other = mtls_phone(secured), mtls_phone(secured)
    path = f"p/{secured.own.token(phone)}/{phone.name}"
    assert fetched(secured, tmp_path, path, phone, maker.phone(phone.mac.upper()))[0] == 200
    assert fetched(secured, tmp_path, path, phone, None)[0] == 200, "its web browser, for one, shows no certificate"
    assert secured.own.ask(path, phone.agent).reason is Reason.SERVED
    refused = secured.own.server.answer(
        secured.own.request(path, phone.agent)._replace(tls_subject=f"CN={other.mac},O=Maker", transport="https")
    )
    assert refused.reason is Reason.CONFLICT


def test_a_certificate_that_the_maker_did_not_sign_ends_the_connection(secured: Listening, tmp_path: Path, maker: Maker) -> None:
    phone = mtls_phone(secured)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    forged = Maker(elsewhere).phone(phone.mac.upper())
    with pytest.raises((ssl.SSLError, ConnectionError, IndexError, ValueError)):
        fetched(secured, tmp_path, phone.name, phone, forged)


def test_mtls_without_an_authority_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match="PROVISIONER_TLS_CLIENT_CA: PROVISIONER_ACCESS=mtls needs it"):
        load_settings({"PROVISIONER_ACCESS": "mtls"})
