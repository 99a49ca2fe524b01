"""A sealed file opens with its passphrase, whole and in its order, or not at all."""

from __future__ import annotations

import io
import itertools
import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.errors import ProvisionerError
from provisioner.sealed_file import CHUNK, COST, MOST_COST, passphrase_mistake, sealed, sealed_size, unsealed

PASSPHRASE = "correct horse battery"
HEAD, PART = 42, CHUNK + 16
BODY = random.Random(7).randbytes(3 * CHUNK + 1000)


def made(body: bytes = BODY, passphrase: str = PASSPHRASE) -> bytes:
    return b"".join(sealed(io.BytesIO(body), passphrase, cost=1))


def opened(whole: bytes, passphrase: str = PASSPHRASE) -> bytes:
    return b"".join(unsealed(io.BytesIO(whole), passphrase))


SEALED = made()
PARTS = [SEALED[at : at + PART] for at in range(HEAD, len(SEALED), PART)]


def refused(whole: bytes) -> bool:
    with pytest.raises(ProvisionerError):
        opened(whole)
    return True


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_what_is_sealed_opens_again(size: int) -> None:
    whole = made(BODY[:size])
    assert len(whole) == sealed_size(size)
    assert opened(whole) == BODY[:size]


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_flipped_bit_is_refused(at: int, bit: int) -> None:
    changed = bytearray(SEALED)
    changed[at] ^= 1 << bit
    if not (at == 9 and changed[9] > 16):  # the cost: a file may make the one who opens it wait, and is refused then
        assert refused(bytes(changed))


@pytest.mark.parametrize("at", [*range(HEAD), HEAD, HEAD + PART - 1, HEAD + PART])
def test_flipped_byte_of_the_header_and_at_the_edges_is_refused(at: int) -> None:
    changed = bytearray(SEALED)
    changed[at] ^= 0x02  # of the cost it makes 3
    assert refused(bytes(changed))


@settings(max_examples=40, deadline=None)
@given(length=st.integers(0, len(SEALED) - 1))
def test_cut_file_is_refused(length: int) -> None:
    assert refused(SEALED[:length])


def test_file_cut_between_its_parts_is_refused() -> None:
    for count in range(len(PARTS)):
        assert refused(SEALED[:HEAD] + b"".join(PARTS[:count]))


def test_parts_in_another_order_left_out_or_repeated_are_refused() -> None:
    head, numbers = SEALED[:HEAD], range(len(PARTS))
    for length in range(1, len(PARTS) + 2):
        for order in itertools.product(numbers, repeat=length):
            if list(order) != list(numbers) and length <= len(PARTS):
                assert refused(head + b"".join(PARTS[number] for number in order))
    assert refused(SEALED + PARTS[-1])
    assert refused(SEALED + b"x")


def test_parts_of_another_file_under_the_same_passphrase_are_refused() -> None:
    other = made()
    assert refused(SEALED[:HEAD] + other[HEAD:])
    assert refused(SEALED[: HEAD + PART] + other[HEAD + PART :])


def test_wrong_passphrase_is_told_from_damage() -> None:
    with pytest.raises(ProvisionerError, match="the passphrase does not open this backup"):
        opened(SEALED, "correct horse batterY")
    with pytest.raises(ProvisionerError, match="damaged, cut or changed in its part 4"):
        opened(SEALED[:-1])
    with pytest.raises(ProvisionerError, match="no sealed backup"):
        opened(b"\x1f\x8bno")


def test_accents_are_the_same_however_a_keyboard_makes_them() -> None:
    words = unicodedata.normalize("NFC", "mật khẩu rất dài")
    assert opened(made(passphrase=unicodedata.normalize("NFD", words)), words) == BODY


@pytest.mark.parametrize("cost", [0, MOST_COST + 1, 255])
def test_file_that_wants_too_much_memory_to_be_opened_is_refused(cost: int) -> None:
    with pytest.raises(ProvisionerError, match="form that this version does not read"):
        opened(SEALED[:9] + bytes([cost]) + SEALED[10:])


def test_cost_of_a_guess_is_what_it_was_chosen_to_be() -> None:
    assert next(sealed(io.BytesIO(b""), PASSPHRASE))[9] == COST == 17


@pytest.mark.parametrize("passphrase", ["", "short", "aaaaaaaaaaaaaaaa", "abababababababab", "x" * 2000])
def test_passphrase_that_could_be_guessed_is_not_taken(passphrase: str) -> None:
    assert passphrase_mistake(passphrase)
    assert not passphrase_mistake(PASSPHRASE)
