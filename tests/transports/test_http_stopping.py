"""The phones' listener is told to stop: what is under way comes to its end, and who comes in that moment does no harm."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transports.own_listener import BIG, Listening, answer_on, listening_with_files, request, rest_of


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Listening]:
    with listening_with_files(tmp_path) as made:
        yield made


def test_stopping_ends_what_is_idle_and_lets_the_rest_finish(here: Listening) -> None:
    with here.connect() as idle, here.connect(receive_bytes=8192) as busy:
        idle.sendall(request("wall.jpg"))
        assert answer_on(idle)[0] == 200
        busy.sendall(request("big.rom"))
        assert busy.recv(12) == b"HTTP/1.1 200"
        stopper = threading.Thread(target=here.stop, args=(60.0,))
        stopper.start()
        assert idle.recv(10) == b""
        assert len(rest_of(busy)) > BIG
        stopper.join(60)
    assert here.wait_recorded("served").name in ("big.rom", "wall.jpg")
    with pytest.raises(ConnectionRefusedError):
        here.connect()


def test_who_comes_in_the_moment_of_stopping_ends_nothing(here: Listening) -> None:
    held, go_on = threading.Event(), threading.Event()
    here.listener.call(lambda: (held.set(), go_on.wait(20)))
    assert held.wait(20)
    here.listener.stop(5.0)
    with here.connect() as late:
        go_on.set()  # and finds both in one: that it is to stop, and who came since
        here.thread.join(20)
        assert rest_of(late) == b""
    assert not here.thread.is_alive()
