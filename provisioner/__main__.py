"""The command line: one command, one line of wiring. Nothing but click is imported before a command runs."""

from __future__ import annotations

import click

from provisioner import __version__
from provisioner.commands.group import CommandGroup
from provisioner.commands.session import Session

COMMANDS = {
    "init": ("provisioner.commands.init:init", "Make the data folder, the secret key and the database."),
    "serve": ("provisioner.commands.serve:serve", "Serve phones and the admin pages until stopped."),
    "doctor": ("provisioner.commands.doctor:doctor", "Look at machine and installation, and say what to mend."),
    "settings": ("provisioner.commands.settings:settings", "Show every setting with its value."),
    "check": ("provisioner.commands.check:check", "Check the catalogue of vendors and models."),
    "catalogue": (
        "provisioner.commands.catalogue:catalogue",
        "Change templates and models in a folder of your own that upgrades leave alone.",
    ),
    "phone": ("provisioner.commands.phone:phone", "Add, show, list, change, swap, retire, remove, re-open and wake phones."),
    "extension": ("provisioner.commands.extension:extension", "Add, change, list and remove extensions; renew their passwords."),
    "department": ("provisioner.commands.department:department", "Add, list and remove departments that can be called."),
    "firmware": ("provisioner.commands.firmware:firmware", "Pin firmware for phones, and roll it out share by share."),
    "seat": ("provisioner.commands.seat:seat", "Show who sits at which hot desk; log people in and out."),
    "call": ("provisioner.commands.call:call", "List calls that have ended, and those under way."),
    "recording": ("provisioner.commands.call:recording", "List and remove recordings of calls."),
    "plan": ("provisioner.commands.plan:plan", "Show what differs between the PBX and what it should say."),
    "sync": ("provisioner.commands.plan:sync", "Put right what differs in the PBX."),
    "site": ("provisioner.commands.site:site", "Add and list sites."),
    "dhcp-config": ("provisioner.commands.dhcp:dhcp_config", "Print configuration for a DHCP server that tells phones where this one is."),
    "redirect": ("provisioner.commands.redirect:redirect", "Register phones with their makers' redirect services."),
    "sheet": ("provisioner.commands.sheet:sheet", "Write the instruction sheet of one phone, as PDF or HTML."),
    "import": ("provisioner.commands.spreadsheet:import_", "Read phones and extensions from a CSV file."),
    "export": ("provisioner.commands.spreadsheet:export", "Write phones and extensions to a CSV file."),
    "change": ("provisioner.commands.change:change", "List who changed what, and undo it."),
    "render": ("provisioner.commands.render:render", "Print the files of one phone."),
    "explain": ("provisioner.commands.explain:explain", "Say where a phone's setting or parameter comes from."),
    "lockstep": ("provisioner.commands.lockstep:lockstep", "Show how far each phone is behind what it should have."),
    "sightings": ("provisioner.commands.seen:sightings", "List phones that were seen and are not listed."),
    "discover": ("provisioner.commands.discover:discover", "Look at a network for phones."),
    "fetches": ("provisioner.commands.seen:fetches", "List what phones asked for and what they got."),
    "window": ("provisioner.commands.enrolment:window", "Open, close and list windows in which unlisted phones are taken in."),
    "warehouse": ("provisioner.commands.enrolment:warehouse", "Keep phones that are taken in where they are first plugged in."),
    "newcomers": ("provisioner.commands.enrolment:newcomers", "List MACs that asked for files and were not let in."),
    "claim": ("provisioner.commands.enrolment:claim", "Take in a phone by the last digits of its MAC, or make a code to be dialled on it."),
    "refusals": ("provisioner.commands.bootstrap:refusals", "List phones that were refused their first fetch."),
    "alarms": ("provisioner.commands.bootstrap:alarms", "List scans for MACs."),
    "token": ("provisioner.commands.token:token", "Make, list and revoke API tokens."),
    "mail": ("provisioner.commands.mail:mail", "Say who is told of trouble by e-mail, and try it."),
    "user": ("provisioner.commands.user:user", "Add, list, change and remove people who sign in."),
    "pbx": ("provisioner.commands.pbx:pbx", "Install, look at and steer the bundled Asterisk."),
    "backup": ("provisioner.commands.backup:backup", "Write database, key and settings to one file."),
    "restore": ("provisioner.commands.backup:restore", "Put a backup back."),
}


@click.group(cls=CommandGroup, wiring=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data-dir", metavar="FOLDER", help="Folder of database and keys; wins over PROVISIONER_DATA_DIR.")
@click.option("--server", metavar="URL", help="Work on the server at this address, over its API; wins over PROVISIONER_SERVER.")
@click.option(
    "--token-file", metavar="FILE", help="File with the token for --server; wins over PROVISIONER_TOKEN and PROVISIONER_TOKEN_FILE."
)
@click.option("-v", "--verbose", is_flag=True, help="Log what is done, on standard error.")
@click.version_option(__version__, message="provisioner %(version)s")
@click.pass_context
def main(context: click.Context, *, data_dir: str | None, server: str | None, token_file: str | None, verbose: bool) -> None:
    """Zero-touch provisioning of IP phones, in lockstep with their PBX.

    \b
    Example, from nothing to the first phone:
      provisioner init
      provisioner extension add 1001 --name 'Alice'
      provisioner phone add 80:5e:c0:aa:bb:cc --model yealink/t46u --extension 1001
      provisioner serve
    """
    context.obj = context.with_resource(Session(data_dir, verbose=verbose, server=server, token_file=token_file))


if __name__ == "__main__":
    main(prog_name="provisioner")
