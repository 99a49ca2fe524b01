"""The command line as a whole: help, errors, exit statuses, signals, pipes. Some of it needs real processes."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from importlib.util import find_spec
from typing import IO

import click
import pytest

from provisioner.__main__ import COMMANDS, main
from provisioner.commands.group import sentence_of
from provisioner.errors import InputError, NotFound
from tests.commands.conftest import MAC, Cli
from tests.contract.world import wait_until

PROGRAM = [sys.executable, "-m", "provisioner"]
INTERRUPTIBLE = """import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background of a shell has it ignored
from provisioner.__main__ import main
main()
"""
HELP_BUDGET_S = 0.150


def run(cli: Cli, *args: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **cli.env}
    return subprocess.run([*PROGRAM, *args], env=environ, cwd=cli.folder, capture_output=True, text=True, timeout=60, check=False)


def every_command() -> list[tuple[str, click.Command]]:
    found = []
    context = click.Context(main)
    for name in COMMANDS:
        if find_spec(COMMANDS[name][0].partition(":")[0]) is None:
            continue  # written elsewhere, not there yet
        command = main.get_command(context, name)
        assert command is not None, name
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {sub}", command.commands[sub]) for sub in command.commands]
    return found


@pytest.mark.parametrize(("name", "command"), every_command())
def test_help_of_each_command_has_an_example(name: str, command: click.Command) -> None:
    assert "Example" in (command.help or ""), f"{name} teaches nothing"
    assert f"provisioner {name}" in (command.help or "") or "provisioner --data-dir" in (command.help or "") or name == "settings"


def test_help_lists_every_command_without_loading_one(bare: Cli) -> None:
    code = "import sys; from provisioner.__main__ import main\ntry:\n main(['--help'])\nexcept SystemExit: pass\nprint('sqlalchemy' in sys.modules, 'netaddr' in sys.modules, 'marshmallow' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert out.splitlines()[-1] == "False False False"
    assert all(f"  {name} " in out for name in COMMANDS)


def test_help_comes_quickly(bare: Cli) -> None:
    def took() -> float:
        before = os.times()
        assert run(bare, "--help").returncode == 0
        after = os.times()
        # CPU and not the clock: a busy machine is not a slow command.
        return after.children_user + after.children_system - before.children_user - before.children_system

    took()
    assert min(took() for _ in range(10)) < HELP_BUDGET_S


def test_version_is_told(bare: Cli) -> None:
    assert bare("--version").stdout.startswith("provisioner 0.")


@pytest.mark.parametrize(
    ("args", "status", "sentence"),
    [
        (["phone", "list"], 1, "run 'provisioner init'"),
        (["fone"], 2, "did you mean 'phone'?"),
        (["phone", "show", "nonsense"], 2, "is not a MAC address"),
        (["phone", "add"], 2, "'provisioner phone add --help'"),
        (["check", "/nowhere"], 2, "/nowhere"),
    ],
)
def test_mistake_is_one_sentence_and_no_traceback(bare: Cli, args: list[str], status: int, sentence: str) -> None:
    result = run(bare, *args)
    assert result.returncode == status
    assert result.stderr.startswith("error: ")
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_bad_settings_are_listed_all_at_once(bare: Cli) -> None:
    result = bare("settings", status=1, env={"PROVISIONER_PBX": "asterix", "PROVISIONER_CACHE_MB": "many", "PROVISIONER_COLOUR": "red"})
    assert all(word in result.stderr for word in ("asterix", "many", "PROVISIONER_COLOUR"))


def test_unreachable_database_is_one_sentence(bare: Cli) -> None:
    bare("init")
    result = bare("phone", "list", status=1, env={"PROVISIONER_DATABASE_URL": "postgresql://nobody:hunter2hunter2@127.0.0.1:1/none"})
    assert result.stderr.startswith("error: the database cannot be used")
    assert "hunter2" not in result.output


def test_reader_that_goes_away_is_no_error(cli: Cli) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "render", MAC], env={**os.environ, **cli.env}, cwd=cli.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # before anything was written
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert said == b""


def test_interrupt_ends_with_130(bare: Cli) -> None:
    bare("init")
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "import", "-"],
        env={**os.environ, **bare.env}, cwd=bare.folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write("mac,model\n")
    process.stdin.flush()
    wait_until(lambda: unread(process.stdin) == 0, what="the reading")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said


def unread(pipe: IO[str] | None) -> int:
    """Returns how many bytes of a pipe its reader has not taken yet: once it took the first, it waits for more."""
    assert pipe is not None
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return int(count)


def test_no_colour_where_there_is_no_terminal(cli: Cli) -> None:
    assert "\x1b" not in run(cli, "lockstep").stdout
    assert "\x1b" not in run(cli, "nonsense").stderr


def test_colour_on_a_terminal_and_not_with_no_color(cli: Cli) -> None:
    assert b"\x1b[" in on_terminal(cli, {})
    assert b"\x1b[" not in on_terminal(cli, {"NO_COLOR": "1"})


def on_terminal(cli: Cli, env: dict[str, str]) -> bytes:
    main_end, program_end = os.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [*PROGRAM, "lockstep"], env={**environ, **cli.env, **env}, cwd=cli.folder, stdout=program_end, stderr=program_end
    )
    os.close(program_end)
    said = b""
    try:
        while chunk := os.read(main_end, 4096):
            said += chunk
    except OSError:
        pass  # Linux says EIO when the other end is closed
    os.close(main_end)
    assert process.wait(60) == 0
    return said


def test_each_wrong_field_has_a_line_of_its_own() -> None:
    assert sentence_of(InputError({"a": "one", "b": "two"})).splitlines() == ["this cannot be taken:", "  a: one", "  b: two"]
    assert sentence_of(InputError({"a": "one"})) == "a: one"
    assert sentence_of(NotFound({"mac": "phone x is not listed"})) == "phone x is not listed"
    assert sentence_of(PermissionError(13, "Permission denied", "/x")) == "/x: Permission denied"
