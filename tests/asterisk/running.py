"""Instances of the real Asterisk, each in a folder of its own, on free loopback ports."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pbx_sync.asterisk.configuration import Facts, Listen
from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.program import Program
from tests.ports import free_port


@contextmanager
def fresh_instance(program: Program, *, started: bool = True, **facts: object) -> Iterator[Instance]:
    """Yields an instance in a folder of its own, and ends and removes it afterwards. Its log is printed where the test fails."""
    # Not below pytest's folder: the path of a control socket may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pbx-"))
    instance = Instance(folder, program, loopback_facts(**facts))
    try:
        instance.prepare()
        if started:
            instance.start()
            instance.wait_until_ready()
        yield instance
    finally:
        instance.stop()
        sys.stdout.write("\n".join(instance.log_lines()))
        shutil.rmtree(folder)


def loopback_facts(**given: object) -> Facts:
    """Returns facts with free ports on loopback; what is given wins."""
    sip, ami, ari = (Listen("127.0.0.1", free_port()) for _ in range(3))
    return Facts(**{"sip": sip, "ami": ami, "ari": ari, "rtp": (30000, 39999), **given})
