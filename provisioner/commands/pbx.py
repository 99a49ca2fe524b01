"""``provisioner pbx``: the bundled Asterisk, for people."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, NoReturn

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import harmless, note, print_json
from provisioner.commands.remote_pbx import RemotePBX
from provisioner.commands.session import Session, pass_session
from provisioner.errors import ProvisionerError

if TYPE_CHECKING:
    from pbx_sync.asterisk.instance import Instance

BACK_WITHIN_S = 60.0
FAILED = 1


@click.group()
def pbx() -> None:
    """Install, look at and steer the bundled Asterisk.

    \b
    Examples:
      provisioner pbx install
      provisioner pbx status
      provisioner pbx cli 'pjsip show contacts'
    """


@pbx.command()
@click.option("--again", is_flag=True, help="Bring it anew even where it is there: a newer version, or a damaged one.")
@click.option("--private", is_flag=True, help="Bring a private one although the system has Asterisk 20 or later.")
@click.option("--if-bundled", is_flag=True, help="Do nothing where PROVISIONER_PBX says that no bundled Asterisk is wanted.")
@pass_session
def install(session: Session, again: bool, private: bool, if_bundled: bool) -> None:
    """Bring Asterisk into the data folder, without touching the system. Broken off, it goes on where it was.

    Needs Debian or Ubuntu and their package mirror, 700 MB of disk for a moment and 200 MB to stay; no root.

    \b
    Example:
      provisioner pbx install
    """
    from pbx_sync.asterisk.errors import AsteriskError
    from pbx_sync.asterisk.install import install_asterisk
    from provisioner.bundled import bundled_program

    if if_bundled and session.settings.pbx != "bundled":
        return
    there = bundled_program(session.settings)
    if there is not None and not again and not (private and not there.is_private):
        click.echo(f"Asterisk {there.version} is there: {'the private one' if there.is_private else there.command[0]}")
        return
    try:
        program = install_asterisk(session.settings.data_dir, _progress(), again=again)
    except AsteriskError as error:
        _refuse(f"Asterisk was not installed: {error}")
    click.echo(f"Asterisk {program.version} is installed in {session.settings.data_dir}")


@pbx.command()
@json_option
@pass_session
def status(session: Session, as_json: bool) -> None:
    """Say whether Asterisk runs and answers, since when, and what its log complains of. Exit status 1 where it does not.

    \b
    Example:
      provisioner pbx status
    """
    from provisioner.pbxstatus import pbx_status

    said = pbx_status(session.settings) if session.remote is None else RemotePBX(session.remote.client).status()
    if as_json:
        print_json(said)
    else:
        for name, value in said.rows():
            click.echo(f"{name:<14} {harmless(value)}")
        for finding in said.findings:
            times = f" ({finding.count} times, last {finding.at})" if finding.count > 1 else f" ({finding.at})"
            click.echo(
                f"{click.style('look at this', fg='yellow'):<14} {harmless(finding.what)}{times}\n{'':<14} -> {harmless(finding.mend)}"
            )
    if not said.is_answering:
        sys.exit(FAILED)


@pbx.command()
@click.argument("words", nargs=-1, required=True)
@pass_session
def cli(session: Session, words: tuple[str, ...]) -> None:
    """Run WORDS on the command line of the running Asterisk and print what it says.

    \b
    Examples:
      provisioner pbx cli 'core show channels'
      provisioner pbx cli pjsip show contacts
    """
    from pbx_sync.asterisk.errors import AsteriskError

    try:
        click.echo(_instance(session).cli(" ".join(words)), nl=False)
    except AsteriskError as error:
        _refuse(str(error))


@pbx.command()
@click.option(
    "--now", is_flag=True, help="End the calls there are. Without it Asterisk takes no new calls and waits until the last has ended."
)
@pass_session
def restart(session: Session, now: bool) -> None:
    """Restart Asterisk under the running server; settings that changed since hold afterwards only where the server was restarted too.

    \b
    Example:
      provisioner pbx restart --now
    """
    from pbx_sync.asterisk.errors import AsteriskError
    from pbx_sync.asterisk.instance import processes_of

    if session.remote is not None:
        RemotePBX(session.remote.client).restart(now=now, within_s=BACK_WITHIN_S)
        click.echo("Asterisk is back")
        return
    instance = _instance(session)
    before = processes_of(instance.folder)
    if not before:
        _refuse("Asterisk does not run: 'provisioner serve' starts it")
    try:
        instance.cli(f"core stop {'now' if now else 'gracefully'}", within_s=3600.0)
    except AsteriskError as error:
        _refuse(str(error))
    if not now:
        note("Waiting for the last call to end ...")
    while set(before) & set(processes_of(instance.folder)):
        time.sleep(0.2)
    _wait_until_back(instance)


@pbx.command()
@pass_session
def reload(session: Session) -> None:
    """Make Asterisk read its files again, your own in pbx/custom included, without ending a call.

    \b
    Example:
      provisioner pbx reload
    """
    from pbx_sync.asterisk.errors import AsteriskError

    try:
        if session.remote is not None:
            RemotePBX(session.remote.client).reload()
        else:
            _instance(session).reload()
    except AsteriskError as error:
        _refuse(str(error))
    click.echo("Asterisk has read its files again")


@pbx.command()
@click.option("-n", "--lines", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many lines.")
@click.option("--security", is_flag=True, help="Who tried to register or to call, and how it went, instead.")
@pass_session
def log(session: Session, lines: int, security: bool) -> None:
    """Print the newest lines of Asterisk's log.

    \b
    Example:
      provisioner pbx log -n 200
    """
    name = "security" if security else "messages"
    remote = session.remote
    for line in _instance(session).log_lines(lines, name) if remote is None else RemotePBX(remote.client).log_lines(lines, name):
        click.echo(harmless(line))


def _instance(session: Session) -> Instance:
    from pbx_sync.asterisk.errors import AsteriskError
    from provisioner.bundled import NOT_INSTALLED, bundled_instance, bundled_program

    if session.settings.pbx != "bundled":
        raise ProvisionerError(f"PROVISIONER_PBX={session.settings.pbx}: there is no bundled Asterisk")
    program = bundled_program(session.settings)
    if program is None:
        raise ProvisionerError(NOT_INSTALLED)
    try:
        return bundled_instance(session.settings, program)
    except AsteriskError as error:
        raise ProvisionerError(str(error)) from error


def _wait_until_back(instance: Instance) -> None:
    deadline = time.monotonic() + BACK_WITHIN_S
    while not instance.is_answering(1.0, booted=True):
        if time.monotonic() > deadline:
            _refuse("Asterisk ended and did not come back: is 'provisioner serve' running? 'provisioner pbx status' says more")
        time.sleep(0.2)
    click.echo("Asterisk is back")


def _refuse(sentence: str) -> NoReturn:
    raise ProvisionerError(sentence)


class _Steps:
    """Shows progress: a line that grows on a terminal, one line for each step elsewhere."""

    def __init__(self) -> None:
        self._what = ""
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, what: str, share: float) -> None:
        is_new, self._what = what != self._what, what
        if self._is_terminal:
            click.echo(f"\r\x1b[K{what} ... {share:4.0%}", err=True, nl=share >= 1)
        elif is_new:
            note(f"{what} ...")


def _progress() -> _Steps:
    return _Steps()
