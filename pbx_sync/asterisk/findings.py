"""What Asterisk's log means: known complaints, each with what is wrong and what mends it, for people who do not know Asterisk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_LINE = re.compile(r"^\[(?P<at>[\d\- :.]+)\] (?P<level>WARNING|ERROR|NOTICE)\[\d+\](?:\[\S+\])?:? (?P<text>.*)$")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: how often the log says it and when last (as the log writes it).

    ``is_fatal``: no phone can register until it is mended.
    """

    what: str
    mend: str
    count: int = 1
    at: str = ""
    is_fatal: bool = False


_FATAL = re.compile(r"Transport 'transport-(?:udp|tcp)' could not be started|Unable to bind AMI server")
START = "provisioner: Asterisk is started"
"""Written into the log before each start: what stands before it is of an earlier one."""

_KNOWN: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"Transport '(\S+?)' could not be started: Address already in use"),
        "the port of {0} is taken by another program, so that no phone can register there",
        "stop that program (often another Asterisk), or set PROVISIONER_SIP_BIND to another port",
    ),
    (
        re.compile(r"Transport '(\S+?)' could not be started: Permission denied"),
        "the port of {0} is not allowed to this user",
        "use a port from 1024 up in PROVISIONER_SIP_BIND",
    ),
    (
        re.compile(r"Transport '(\S+?)' could not be started: Cannot assign requested address"),
        "{0} is to listen on an address that this machine does not have",
        "set PROVISIONER_SIP_BIND to 0.0.0.0 or to an address that 'ip address' lists",
    ),
    (
        re.compile(r"Transport: (\S+): cert_file|Transport '(\S+?)' could not be started: .*(?:certificate|SSL|TLS|private key)", re.IGNORECASE),
        "SIP over TLS does not start: its certificate or key cannot be used",
        "look at PROVISIONER_TLS_CERTIFICATE and PROVISIONER_TLS_KEY: both PEM, and readable by the user that Asterisk runs as",
    ),
    (
        re.compile(r"Unable to bind (AMI) server to (\S+): Address already in use"),
        "the {0} port {1} is taken by another program, so that the provisioner cannot reach its own Asterisk",
        "stop that program (often another Asterisk), or set PROVISIONER_AMI_BIND to another port",
    ),
    (
        re.compile(r"Unable to bind (?:HTTP server|https? server|http server) to (\S+): Address already in use", re.IGNORECASE),
        "the ARI port {0} is taken by another program",
        "stop that program (often another Asterisk), or set PROVISIONER_ARI_BIND to another port",
    ),
    (
        re.compile(r"Error loading module '(\S+?)(?:\.so)?'"),
        "the module {0} cannot be loaded",
        "'provisioner pbx install --again' brings the private Asterisk anew; with the system's Asterisk install its modules",
    ),
    (
        re.compile(r"No path to translate from (\S+) to (\S+)|Unable to find a codec translation path: \((.*?)\) -> \((.*?)\)"),
        "a call failed because no codec fits both sides ({0} and {1})",
        "give both phones a codec in common (setting codecs), best g722 or pcma; G.729 and iLBC can be passed on but not translated",
    ),
    (
        re.compile(r"No compatible codecs|Couldn't negotiate stream|No joint capabilities|(\S+): Couldn't find a matching codec"),
        "a call failed because phone and PBX have no codec in common",
        "allow the phone one of g722, pcma or pcmu (setting codecs)",
    ),
    (
        re.compile(r"(Too many open files|Cannot allocate memory|Unable to allocate RTP|Oh dear, we couldn't allocate a port|No RTP ports remaining)", re.IGNORECASE),
        "more calls than this machine is set up for: {0}",
        "raise the limit of open files (LimitNOFILE in systemd) and widen PROVISIONER_RTP_PORTS: each call takes four ports",
    ),
    (
        re.compile(r"No space left on device|database or disk is full"),
        "the disk is full: registrations, voicemail and logs are lost",
        "make room on the disk of the data folder",
    ),
    (
        re.compile(r"taskprocessor queue '?(\S+?)'? is backed up|The '(\S+)' task processor queue reached (\d+) scheduled tasks", re.IGNORECASE),
        "Asterisk cannot keep up: tasks pile up in its queues",
        "look for a storm of registrations or for another program that takes the processor",
    ),
    (
        re.compile(r"call to (\S+) was passed on \d+ times"),
        "phones forward their calls to each other in a circle; a call to {0} was ended",
        "take call forwarding off one of them",
    ),
    (
        re.compile(r"Error in SQL|Unable to open database|SQLite.*(?:malformed|corrupt)|database disk image is malformed", re.IGNORECASE),
        "one of Asterisk's own databases cannot be read",
        "restart it ('provisioner pbx restart'); if it stays, stop the server and move db/astdb.sqlite3 away: all extensions are pushed again",
    ),
    (
        re.compile(r"Request '(\w+)' from '.*?' failed for '([^':]+).*?' \(callid: \S+\) - (?:Failed to authenticate|No matching endpoint found)"),
        "somebody at {1} tries to use the PBX without a valid extension and secret",
        "a phone with an old secret: resync it; an unknown address: close port 5060 towards the internet",
    ),
)  # fmt: skip


def explain_log(lines: Iterable[str]) -> list[Finding]:
    """Returns what is wrong by these lines of Asterisk's log; the newest last. What is not known to be wrong is left out."""
    found: dict[str, Finding] = {}
    for line in lines:
        parsed = _LINE.match(line)
        finding = _explained(parsed["text"], parsed["at"]) if parsed else None
        if finding is not None:
            before = found.pop(finding.what, None)
            found[finding.what] = replace(finding, count=(before.count if before else 0) + 1)
    return list(found.values())


def since_start(lines: Sequence[str]) -> Sequence[str]:
    """Returns the lines since the newest start: what was mended by a restart is no complaint any more."""
    starts = [at for at, line in enumerate(lines) if START in line]
    return lines[starts[-1] :] if starts else lines


def _explained(text: str, at: str) -> Finding | None:
    for pattern, what, mend in _KNOWN:
        if match := pattern.search(text):
            names = [group for group in match.groups() if group]
            return Finding(what.format(*names, "?", "?"), mend, at=at, is_fatal=bool(_FATAL.search(text)))
    return None
