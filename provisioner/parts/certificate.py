"""A certificate of our own for HTTPS where none was given: good against listeners, no proof of who we are."""

from __future__ import annotations

import datetime
import ipaddress
import os
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from provisioner.settings import Settings

VALID_SINCE = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
"""Whatever the clock says when it is made: a machine may start years behind or ahead, and phones refuse what is not valid yet."""
YEARS_10 = datetime.timedelta(days=3650)


def own_certificate(data_dir: Path, host: str, now: datetime.datetime | None = None) -> tuple[Path, Path]:
    """Returns certificate and key (PEM) for ``host``, made in the data folder at the first call; ten years, ECDSA P-256.

    One that has run out, as one does that was made while the clock said 1970, is made anew with the key that is there.
    """
    path, key_path = data_dir / "tls.crt", data_dir / "tls.key"
    today = max(now or datetime.datetime.now(datetime.UTC), VALID_SINCE)
    if not key_path.exists():
        _make_key(key_path)
    key = load_pem_private_key(key_path.read_bytes(), None)
    if isinstance(key, ec.EllipticCurvePrivateKey) and not (path.exists() and _is_valid(path, today)):
        partial = path.with_name(f".tls.crt.{os.getpid()}")
        partial.write_bytes(_signed(key, host, today))
        partial.replace(path)
    return path, key_path


def ends_at(settings: Settings) -> datetime.datetime | None:
    """Returns when the certificate ends that phones are shown; None where they are shown none, or it cannot be read."""
    path = settings.tls_certificate or settings.data_dir / "tls.crt"
    if settings.phones_tls_bind is None:
        return None
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):  # the listener says what is wrong with it
        return None


def _make_key(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    partial = path.with_name(f".tls.key.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    with suppress(FileExistsError):
        os.link(partial, path)  # whoever is first decides: Asterisk and the listener for phones must not have two
    partial.unlink()


def _is_valid(path: Path, today: datetime.datetime) -> bool:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc > today


def _signed(key: ec.EllipticCurvePrivateKey, host: str, today: datetime.datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_SINCE)
        .not_valid_after(today + YEARS_10)
        .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
