"""``provisioner doctor``."""

from __future__ import annotations

from collections import Counter

import click

from provisioner.commands.arguments import json_option
from provisioner.commands.output import COLOURS, harmless, print_json
from provisioner.commands.session import Session


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Look at machine and installation: one line for each check, with the mend where one is needed. Changes nothing.

    Exit status 1 when a check fails; warnings alone end with 0.

    \b
    Examples:
      provisioner doctor
      provisioner doctor --json | jq '.[] | select(.status != "OK")'
    """
    from provisioner.commands.doctor_discovery import discovery_findings
    from provisioner.commands.doctor_installation import installation_findings
    from provisioner.commands.doctor_machine import machine_findings
    from provisioner.commands.doctor_mail import mail_findings
    from provisioner.commands.doctor_pbx import pbx_findings
    from provisioner.commands.doctor_provider import provider_findings

    session = context.find_object(Session) or Session()
    checks = (machine_findings, pbx_findings, discovery_findings, provider_findings, mail_findings, installation_findings)
    findings = [finding for check in checks for finding in check(session.settings)]
    counts = Counter(finding.status for finding in findings)
    if as_json:
        print_json(findings)
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            click.echo(
                f"{click.style(f'{finding.status:<4}', fg=COLOURS[finding.status])}  {finding.name:<{width}}  {harmless(finding.sentence)}"
            )
            if finding.mend:
                click.echo(f"{'':<4}  {'':<{width}}  -> {harmless(finding.mend)}")
        click.echo(f"\n{counts['OK']} fine, {counts['WARN']} to look at, {counts['FAIL']} to mend")
    if counts["FAIL"]:
        context.exit(1)
