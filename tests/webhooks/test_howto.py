"""The example of ``docs/howto/webhooks.md`` knows what is ours, and what it says of tries is what they are."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from provisioner.changes.webhooks import KEPT, MOST, MOST_EVENTS
from provisioner.webhooks.rounds import BACKOFF_S
from provisioner.webhooks.sending import TIMEOUT_S, signature

HOWTO = (Path(__file__).parents[2] / "docs" / "howto" / "webhooks.md").read_text("utf-8")
SECRET, BODY = "uzcsznYUqvyu_mYj6dE", b'{"type": "phone.update"}'


@pytest.fixture
def is_ours() -> Any:
    """The function of the example."""
    [block] = re.findall(r"^```python\n(.*?)^```", HOWTO, re.MULTILINE | re.DOTALL)
    known: dict[str, Any] = {}
    exec(block, known)
    return known["is_ours"]


def signed(secret: str = SECRET, age_s: int = 0) -> dict[str, str]:
    at = int(time.time()) - age_s
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(at), "Webhook-Signature": signature(secret.encode(), "msg_1", at, BODY)}


def test_example_takes_what_is_ours_and_nothing_else(is_ours: Any) -> None:
    assert is_ours(SECRET, signed(), BODY)
    assert not is_ours(SECRET, signed("another"), BODY)
    assert not is_ours(SECRET, signed(), BODY + b" ")
    assert not is_ours(SECRET, signed(age_s=600), BODY)
    assert not is_ours(SECRET, {**signed(), "Webhook-Id": "msg_2"}, BODY)


def test_numbers_of_the_page_are_those_of_the_code() -> None:
    assert BACKOFF_S == (5, 30, 2 * 60, 10 * 60, 3600, 6 * 3600, 24 * 3600)
    assert (TIMEOUT_S, KEPT, MOST, MOST_EVENTS) == (5.0, 1000, 50, 50)
    for said in ("within five seconds", "The last thousand deliveries", "At most 50 webhooks, of 50 events each", "after 5 and 30 seconds"):
        assert said in re.sub(r"\s+", " ", HOWTO)
