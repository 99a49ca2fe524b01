"""What ``doctor`` finds: one line each, and the mend where one is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["OK", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``mend`` says what to do; empty where all is well."""

    name: str
    status: Status
    sentence: str
    mend: str = ""


def fine(name: str, sentence: str) -> Finding:
    return Finding(name, "OK", sentence)


def warning(name: str, sentence: str, mend: str) -> Finding:
    return Finding(name, "WARN", sentence, mend)


def failure(name: str, sentence: str, mend: str) -> Finding:
    return Finding(name, "FAIL", sentence, mend)
