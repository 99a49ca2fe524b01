"""``provisioner plan`` and ``provisioner sync``."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import harmless, print_json
from provisioner.commands.session import Session, pass_session
from provisioner.errors import NeedsConfirmation, ProvisionerError

SOMETHING_TO_DO = 2
ANSWER_S = 60.0
POLL_S = 0.05


@click.command()
@json_option
@pass_session
def plan(session: Session, as_json: bool) -> None:
    """Show what differs between the PBX and what it should say. Exit status 0: nothing; 2: something.

    \b
    Example:
      provisioner plan
    """
    answer = _asked(session, "plan")
    _show(answer, as_json)
    if answer["lines"]:
        sys.exit(SOMETHING_TO_DO)


@click.command()
@click.option("--confirm", is_flag=True, help="Also where it changes or deletes more than goes unasked.")
@json_option
@pass_session
def sync(session: Session, confirm: bool, as_json: bool) -> None:
    """Compare the whole PBX with what it should say, put right what differs, and read it back.

    \b
    Examples:
      provisioner sync
      provisioner sync --confirm
    """
    answer = _asked(session, "sync", confirmed=confirm)
    if answer["guard"]:
        raise NeedsConfirmation(answer["guard"])
    _show(answer, as_json)
    if answer["refused"]:
        told = "; ".join(f"{number}: {reason}" for number, reason in sorted(answer["refused"].items()))
        raise ProvisionerError(f"the PBX refused {harmless(told)}")


def _show(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    for line in answer["lines"]:
        click.echo(harmless(line))
    if not answer["lines"]:
        click.echo("nothing differs")
    if answer["guard"]:
        click.echo(f"\n{harmless(answer['guard'])}")


def _asked(session: Session, what: str, *, confirmed: bool = False) -> dict[str, Any]:
    """Returns what comparing the whole PBX would do, or did. Raises ``ProvisionerError``."""
    if session.remote is None:
        return _asked_here(session, what, confirmed=confirmed)
    from provisioner.commands.asking import asked

    pbx = session.remote.client.pbx
    return dict(asked(pbx.plan) if what == "plan" else asked(pbx.sync, {"confirm": confirmed}))


def _asked_here(session: Session, what: str, *, confirmed: bool) -> dict[str, Any]:
    """Returns the answer of the running server's worker, or of one of our own where none runs. Raises ``ProvisionerError``."""
    from provisioner.heartbeat import FOLDER
    from provisioner.worker.lease import Lease

    if not session.settings.has_pbx:
        raise ProvisionerError("no PBX is kept in lockstep: PROVISIONER_PBX is none")
    installation = session.installation
    number = installation.changes.ask_pbx(session.actor, what, confirmed=confirmed)
    lease = Lease(installation.database, session.settings.data_dir / FOLDER)
    if lease.acquire():
        try:
            _answer_ourselves(session)
        finally:
            lease.release()
    answer = _waited(session, number)
    if answer is None:
        raise ProvisionerError("the worker of the running server did not answer: 'provisioner doctor' says more")
    if "error" in answer:
        raise ProvisionerError(answer["error"])
    return answer


def _answer_ourselves(session: Session) -> None:
    from provisioner.worker import Worker, pbx_backend

    backend = pbx_backend(session.settings)
    if backend is None:
        return
    try:
        worker = Worker(session.installation.store, session.installation.renderer, backend)
        if worker.lockstep:
            worker.lockstep.answering.step()
    finally:
        backend.close()


def _waited(session: Session, number: int) -> dict[str, Any] | None:
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        answer = session.installation.store.pbx_answer(number)
        if answer is not None:
            return dict(answer)
        time.sleep(POLL_S)
    return None
