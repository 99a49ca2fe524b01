"""The forms in which makers' phones take encrypted files: their names, and how long a key each wants.

A file rule of ``vendor.toml`` names one. What they do to the bytes is in ``provisioner.enciphering``: this part of the house is pure and
knows no cryptography.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

EncoderName = Literal["aes_128_ecb", "openssl_aes_256_cbc"]
ENCODERS: tuple[EncoderName, ...] = get_args(EncoderName)
KEY_CHARACTERS: Mapping[EncoderName, int] = {"aes_128_ecb": 16, "openssl_aes_256_cbc": 32}
"""Of the key that the phone is given: letters and digits."""
ENCRYPT_FILES = "encrypt_files"
"""The setting that switches it on."""
