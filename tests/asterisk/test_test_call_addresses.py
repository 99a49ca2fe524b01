"""What a phone registered with stands among the arguments of an application: nothing in it may become one of its own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pbx_sync.asterisk.ami import Action, Reply
from pbx_sync.asterisk.testcalls import AsteriskTestCalls


class Asked:
    """Keeps what Asterisk would have been asked, and says yes to it."""

    def __init__(self) -> None:
        self.actions: list[Action] = []

    def __call__(self, actions: Sequence[Action]) -> list[Reply]:
        self.actions += actions
        return [Reply(True, "", {}) for _ in actions]


@pytest.mark.parametrize(
    "uri",
    [
        "sip:1001@192.0.2.1:5060",
        "sips:1001@[2001:db8::1]:5061;transport=tls",
        "sip:%2a97@192.0.2.1;line=a_b~c*d;x-ast-orig-host=10.0.0.1:5060",
    ],
)
def test_a_contact_is_rung(uri: str) -> None:
    asked = Asked()
    assert AsteriskTestCalls(asked).ring("805ec0aabbcc", "1001", uri) == ""
    assert [action.name for action in asked.actions] == ["DBDel", "DBPut", "Originate"]
    assert asked.actions[1].fields["Val"] == f"1001,{uri}"


@pytest.mark.parametrize("sign", [",", "&", "|", "^", " ", "\t", "\n", '"', "'", "(", ")", "$", "{", "\\", "\u00e9"])
def test_a_contact_with_an_argument_in_it_is_not(sign: str) -> None:
    asked = Asked()
    why = AsteriskTestCalls(asked).ring("805ec0aabbcc", "1001", f"sip:1001@192.0.2.1{sign}PJSIP/1002")
    assert "cannot be dialled" in why
    assert asked.actions == []


def test_a_contact_that_is_no_sip_address_or_has_no_end_is_not() -> None:
    for uri in ("", "1002", "tel:1002", "sip:", f"sip:{'a' * 501}"):
        assert AsteriskTestCalls(Asked()).ring("805ec0aabbcc", "1001", uri)
