"""Encrypted files, opened by a program that is not ours, and by one that reads the padding in the other way that sources tell."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.catalog.examples import read_example
from provisioner.core.catalogue import Catalogue
from provisioner.core.encoders import ENCODERS, KEY_CHARACTERS, EncoderName
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer, masked
from provisioner.core.values import FileAnswer, Reason
from provisioner.enciphering import EncipheredFiles, encoded
from provisioner.secrets import SecretBox
from provisioner.settings import ROOT
from tests.openssl import Unopened, opened_cbc, opened_ecb

BOX = SecretBox(b"k" * 32)
MAC = Mac("805ec0000001")
GOLDEN = Path(__file__).parent / "data" / "encrypted"
EXAMPLES = ("yealink/t46u-encrypted", "yealink/t28p-encrypted", "grandstream/gxp2170-encrypted")
MADE_BY_THE_MAKER = (
    "ljB7jiDIQQ7XD888", bytes.fromhex("fc21be82400c10d8a649ba983d494ac77a69945354e8ce903873b0898788faaef719903ad92ed168ef7ffd5c8bd5433917ff499f1a2874a4fad0ec0eab26cd82"), b"[ account ]\r\npath=/yealink/config/voip/sipAccount0.cfg\r\nEnable =",
)  # fmt: skip
"""Key, first blocks and their text of ``test/test.cfg``, which Yealink's own tool wrote (github.com/traviscross/yealink-confenc at 939a5b5f)."""


def key_of(encoder: EncoderName, epoch: int = 1) -> str:
    return BOX.file_key(MAC, epoch, KEY_CHARACTERS[encoder])


def opened_here(body: bytes, key: str) -> bytes:
    """Opens what OpenSSL's ``enc`` writes, by its manual alone: fast enough for many examples."""
    password, salt, derived, block = key.encode(), body[8:16], b"", b""
    while len(derived) < 48:
        block = hashlib.md5(block + password + salt).digest()
        derived += block
    decryptor = Cipher(algorithms.AES(derived[:32]), modes.CBC(derived[32:48])).decryptor()
    padded = decryptor.update(body[16:]) + decryptor.finalize()
    return padded[: -padded[-1]]


def blocks_opened(body: bytes, key: str) -> bytes:
    decryptor = Cipher(algorithms.AES(key.encode()), modes.ECB()).decryptor()
    return decryptor.update(body) + decryptor.finalize()


def attempt(body: bytes, key: str, digest: str) -> bytes | None:
    """Opens with what may be wrong: None, or, once in some hundred times, rubbish whose end looks like padding."""
    try:
        return opened_cbc(body, key, digest)
    except Unopened:
        return None


def test_openssl_opens_the_cbc_form_with_the_key_and_with_no_other() -> None:
    key, clear = key_of("openssl_aes_256_cbc"), b"<gs_provision/>\n" * 40
    body = encoded("openssl_aes_256_cbc", clear, key)
    assert body.startswith(b"Salted__") and clear[:16] not in body
    assert opened_cbc(body, key) == clear
    assert attempt(body, key_of("openssl_aes_256_cbc", 2), "md5") != clear
    assert attempt(body, key, "sha256") != clear, "with the digest that OpenSSL has taken since 1.1.0 unless it is told otherwise"


@pytest.mark.parametrize("length", [0, 1, 5, 6, 15, 16, 22])
def test_openssl_opens_the_ecb_form_whether_it_takes_the_padding_off_or_not(length: int) -> None:
    key, clear = key_of("aes_128_ecb"), b"x" * length
    body = encoded("aes_128_ecb", clear, key)
    for text in (opened_ecb(body, key), opened_ecb(body, key, keep_padding=True)):
        assert text.startswith(clear) and text[length:].strip(b"\n") == b"", "what is left over is empty lines"


def test_ecb_blocks_are_those_of_the_makers_own_tool() -> None:
    key, body, clear = MADE_BY_THE_MAKER
    assert encoded("aes_128_ecb", clear, key)[: len(body)] == body


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 1000))
@settings(max_examples=200, deadline=None)
def test_a_file_comes_back_and_bytes_follow_from_text_and_key(one: bytes, other: bytes, epoch: int) -> None:
    key, short = key_of("openssl_aes_256_cbc", epoch), key_of("aes_128_ecb", epoch)
    cbc = encoded("openssl_aes_256_cbc", one, key)
    assert opened_here(cbc, key) == one
    assert blocks_opened(encoded("aes_128_ecb", one, short), short).rstrip(b"\n") == one.rstrip(b"\n")
    assert cbc == encoded("openssl_aes_256_cbc", one, key)
    assert (cbc[8:16] == encoded("openssl_aes_256_cbc", other, key)[8:16]) == (one == other), "another text, another salt"


@given(st.integers(0, 2**48 - 1), st.integers(1, 99), st.integers(0, 2**48 - 1), st.integers(1, 99))
@settings(max_examples=200, deadline=None)
def test_keys_are_of_one_phone_and_one_epoch(one: int, first: int, two: int, second: int) -> None:
    for encoder in ENCODERS:
        left, right = (BOX.file_key(Mac(f"{mac:012x}"), epoch, KEY_CHARACTERS[encoder]) for mac, epoch in ((one, first), (two, second)))
        assert (left == right) == ((one, first) == (two, second))
        assert left.isascii() and left.isalnum() and len(left) == KEY_CHARACTERS[encoder]


def test_what_came_out_is_remembered_within_a_bound() -> None:
    files = EncipheredFiles(kept_bytes=3000)
    clear = [FileAnswer(Reason.SERVED, bytes([at]) * 1000, sha256=f"{at:064x}") for at in range(5)]
    first = files.answer(clear[0], "aes_128_ecb", "k" * 16)
    assert files.answer(clear[0], "aes_128_ecb", "k" * 16).body is first.body
    assert files.answer(clear[0], "aes_128_ecb", "j" * 16).body != first.body
    for answer in clear[1:]:
        files.answer(answer, "aes_128_ecb", "k" * 16)
    again = files.answer(clear[0], "aes_128_ecb", "k" * 16)
    assert again == first and again.body is not first.body
    assert first.sha256 == hashlib.sha256(first.body).hexdigest() and first.noted_hash == clear[0].sha256


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_opens_to_its_recorded_text(catalogue: Catalogue, name: str) -> None:
    vendor, _, story = name.partition("/")
    example = read_example(catalogue, vendor, ROOT / "phone_templates" / vendor / "examples" / f"{story}.toml")
    rule = next(rule for rule in catalogue.vendors[vendor].files if rule.encoder)
    assert rule.encoder is not None
    (file,) = Renderer(catalogue).phone_files(example.config)
    text = opened_by_openssl(encoded(rule.encoder, file.body, example.config.file_key), example.config.file_key)
    assert text.rstrip(b"\n") == (example.folder / file.name).read_bytes().rstrip(b"\n")
    assert example.config.file_key in file.body.decode()
    assert example.config.file_key not in masked(catalogue.vendors[vendor], file.body.decode())


@pytest.mark.parametrize("recorded", sorted(GOLDEN.iterdir()), ids=lambda path: path.name)
def test_a_recorded_encrypted_file_opens_and_is_made_again_byte_for_byte(catalogue: Catalogue, recorded: Path) -> None:
    """The text is that of the day it was recorded: templates may change, what is done to a text may not."""
    (example,) = [name for name in EXAMPLES if recorded.name.startswith(name.partition("/")[2])]
    vendor, _, story = example.partition("/")
    key = read_example(catalogue, vendor, ROOT / "phone_templates" / vendor / "examples" / f"{story}.toml").config.file_key
    body = recorded.read_bytes()
    text = opened_by_openssl(body, key)
    assert key.encode() in text
    assert encoded("openssl_aes_256_cbc" if vendor == "grandstream" else "aes_128_ecb", text, key) == body


def opened_by_openssl(body: bytes, key: str) -> bytes:
    return opened_cbc(body, key) if body.startswith(b"Salted__") else opened_ecb(body, key)
