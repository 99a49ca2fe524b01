"""``provisioner firmware``."""

from __future__ import annotations

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import print_json, print_table
from provisioner.commands.session import Session, pass_session
from provisioner.store import ReleaseCounts


@click.group()
def firmware() -> None:
    """Pin, list, resume and take off firmware images; each is rolled out share by share.

    \b
    Example:
      provisioner firmware pin yealink/t46u 'T46U(T43U,T46U,T41U,T48U,T42U,T44U,T44W)-108.86.0.90.rom' --version 108.86.0.90
    """


@firmware.command()
@click.argument("target")
@click.argument("file")
@click.option("--version", required=True, help="As the phones' User-Agent says it.")
@click.option("--hardware", default="", help="Revision or part number that the image is for; left out, any.")
@click.option("--shares", default="5,25,100", show_default=True, help="Percent of the phones, rising to 100.")
@click.option("--timeout", "timeout_s", type=int, default=3600, show_default=True, help="Seconds in which a phone has to come back.")
@pass_session
def pin(session: Session, target: str, file: str, version: str, hardware: str, shares: str, timeout_s: int) -> None:
    """Pin FILE, below firmware/ of the static files, for TARGET: a model, a model@group, or the MAC of one phone.

    \b
    Examples:
      provisioner firmware pin grandstream/gxp2170 gxp2170fw.bin --version 1.0.11.79
      provisioner firmware pin 80:5e:c0:aa:bb:cc new.rom --version 108.86.0.90 --shares 100
    """
    from provisioner.changes.firmware import PinInput

    percents = [int(part) if part.strip().isdigit() else 0 for part in shares.split(",")]
    made = session.desk.changes.put_pin(session.actor, target, PinInput(file, version, hardware, percents, timeout_s))
    click.echo(f"{made.file} is pinned for {made.target}; sha256 {made.sha256}")


@firmware.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List what is pinned, and how far each roll-out is.

    \b
    Example:
      provisioner firmware list
    """
    store = session.desk.store
    pins, counts = store.firmware_pins(), store.release_counts()
    if as_json:
        print_json(pins)
        return
    rows = []
    for each in pins:
        given, runs = counts.get(each.target, ReleaseCounts())
        rows.append((each.target, each.version, each.state, f"{each.shares[each.share]} %", given, runs, each.reason or each.file))
    print_table(["TARGET", "VERSION", "STATE", "SHARE", "GIVEN", "RUN IT", "FILE OR WHY"], rows, right=["SHARE", "GIVEN", "RUN IT"])


@firmware.command()
@click.argument("target")
@pass_session
def resume(session: Session, target: str) -> None:
    """Let the stopped roll-out for TARGET go on: the phones that did not come back are waited for once more.

    \b
    Example:
      provisioner firmware resume yealink/t46u
    """
    session.desk.changes.resume_pin(session.actor, target)
    click.echo(f"the roll-out for {target} goes on")


@firmware.command()
@click.argument("target")
@pass_session
def unpin(session: Session, target: str) -> None:
    """Take the pin for TARGET off. Phones keep what they run.

    \b
    Example:
      provisioner firmware unpin yealink/t46u
    """
    session.desk.changes.delete_pin(session.actor, target)
    click.echo(f"nothing is pinned for {target} any more")
