"""Asterisk's packages, fetched by an apt of our own: own state, own cache, own sources; no root, and nothing of the host's is changed.

Debian's stable releases hold no Asterisk, so it comes from ``sid`` of the same mirror that the host uses; Ubuntu has it in ``universe``.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from pbx_sync.asterisk.children import dying_with_us
from pbx_sync.asterisk.errors import InstallError

WANTED = ("asterisk", "asterisk-core-sounds-en-gsm", "asterisk-moh-opsound-gsm")
Progress = Callable[[str, float], None]
"""Told what is being done, and which share of it is done (0 to 1)."""

SEARCH = f"{os.defpath}:/usr/local/bin:/usr/sbin:/sbin"

_KEYRINGS = {"debian": "debian-archive-keyring.gpg", "ubuntu": "ubuntu-archive-keyring.gpg"}
_SUITES = {"debian": ("sid",), "ubuntu": ("{codename}", "{codename}-updates", "{codename}-security")}
_COMPONENTS = {"debian": ("main",), "ubuntu": ("main", "universe")}
_ALIASES = {"stable", "oldstable", "testing", "unstable", "sid"}
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>[^#]*)")
_STEP = re.compile(r"^dlstatus:[^:]*:([\d.]+):")

# What apt says (in English, LC_ALL=C), and what a person should do. The first that fits wins.
_MEANINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"No space left|don't have enough free space|Disk quota exceeded", re.IGNORECASE),
        "the disk is full: about 700 MB are needed, of which 300 MB stay",
    ),
    (
        re.compile(r"Temporary failure resolving|Could not resolve|Could not connect|Connection (failed|refused|timed out)|Network is unreachable|Cannot initiate the connection|Unable to connect"),
        "the package mirror of this machine cannot be reached: is there a network, and does 'apt-get update' work?",
    ),
    (
        re.compile(r"NO_PUBKEY|is not signed|couldn't be verified|invalid signature|EXPKEYSIG"),
        "the mirror's signature cannot be checked: bring the archive keyring up to date (apt-get install debian-archive-keyring)",
    ),
    (
        re.compile(r"Unable to locate package asterisk|has no installation candidate"),
        "the mirror has no Asterisk for this CPU architecture or release: install Asterisk 20 or later yourself, or use PROVISIONER_PBX=external",
    ),
    (
        re.compile(r"\b(404|403|500|502|503) +[A-Z]|Hash Sum mismatch|File has unexpected size"),
        "the mirror did not give what it lists: it may be in the middle of an update; try again later",
    ),
)  # fmt: skip


# Lists that one who was killed left half-written, or that the mirror has outrun meanwhile.
_STALE = re.compile(
    r"could not be parsed or opened|Can't find a source to download|\b404 +[A-Z]|Hash Sum mismatch|File has unexpected size"
)


class _StaleListsError(InstallError):
    """What is known of the mirror's packages does not hold."""


class Source(NamedTuple):
    """One entry of the host's apt sources."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """Where this machine says what it is and where its packages come from; tests give other folders."""

    os_release: Path = Path("/etc/os-release")
    apt: Path = Path("/etc/apt")
    keyrings: Path = Path("/usr/share/keyrings")
    search: str = SEARCH


def source_lines(host: Host) -> list[str]:
    """Returns the lines of a ``sources.list`` that has Asterisk. Raises ``InstallError`` where this machine names no mirror that could."""
    release = _os_release(host.os_release)
    family = _family(release)
    codename = release.get("UBUNTU_CODENAME") or release.get("VERSION_CODENAME", "")
    source = _mirror(host, codename)
    keyring = host.keyrings / _KEYRINGS[family]
    signed_by = str(keyring) if keyring.is_file() else source.signed_by
    # A mirror's copy of sid may be past the date that its Release file gives; signatures are checked all the same.
    options = " ".join([*([f"signed-by={signed_by}"] if signed_by else []), "check-valid-until=no"])
    components = " ".join(_COMPONENTS[family])
    return [f"deb [{options}] {source.uri} {suite.format(codename=codename)} {components}" for suite in _SUITES[family]]


def fetch_packages(folder: Path, host: Host, progress: Progress) -> list[Path]:
    """Returns the files of Asterisk's packages and of all that they need, in ``folder``; what is there already is not fetched again.

    Where the lists of an earlier try do not hold, they are fetched anew, once. Raises ``InstallError``.
    """
    if shutil.which("apt-get", path=host.search) is None or shutil.which("dpkg-deb", path=host.search) is None:
        raise InstallError(
            "apt-get is missing: Asterisk is brought onto Debian and Ubuntu only; elsewhere install Asterisk 20 or later yourself"
        )
    try:
        return _fetched(folder, host, progress)
    except _StaleListsError:
        shutil.rmtree(folder / "state")
        for cached in ("pkgcache.bin", "srcpkgcache.bin"):
            (folder / "cache" / cached).unlink(missing_ok=True)
        return _fetched(folder, host, progress)


def _fetched(folder: Path, host: Host, progress: Progress) -> list[Path]:
    options = _prepare(folder, source_lines(host))
    progress("Asking the mirror for its packages", 0.0)
    _apt(
        [*options, "update", "-o", "APT::Update::Error-Mode=any"], host, lambda share: progress("Asking the mirror for its packages", share)
    )
    progress("Fetching Asterisk", 0.0)
    install = [*options, "install", "--download-only", "--yes", "--no-install-recommends", *WANTED]
    _apt(install, host, lambda share: progress("Fetching Asterisk", share))
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _prepare(folder: Path, lines: list[str]) -> list[str]:
    """Makes the folders of the private apt; returns its options. Proxies and logins of the host's apt stay in force."""
    for place in ("state/lists/partial", "cache/archives/partial", "etc", "dpkg"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / "etc/sources.list").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "dpkg/status").write_text("", "utf-8")
    (folder / "etc/apt.conf").write_text(_APT_CONF.format(folder=folder), "utf-8")
    return ["-q", "-c", str(folder / "etc/apt.conf"), "-o", "APT::Status-Fd=1"]


# "#clear" takes away what the host's own configuration does after an update or an install: none of it is meant for us.
_APT_CONF = """\
Dir::State "{folder}/state";
Dir::State::status "{folder}/dpkg/status";
Dir::Cache "{folder}/cache";
Dir::Cache::archives "archives/";
Dir::Etc::sourcelist "{folder}/etc/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "";
APT::Architectures "";
APT::Default-Release "";
APT::Keep-Downloaded-Packages "true";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear APT::Architectures;
"""


def _apt(arguments: list[str], host: Host, told: Callable[[float], None]) -> None:
    # env(1) adds to what we were started with: a proxy that is set there is for apt too.
    command = ["env", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", f"PATH={host.search}", "apt-get", *arguments]
    complaints: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=dying_with_us(signal.SIGKILL),  # an apt that is left behind holds the lock that the next try needs
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        reader = threading.Thread(target=_drain, args=(process.stderr, complaints), daemon=True)
        reader.start()
        try:
            for line in process.stdout:
                if step := _STEP.match(line):
                    told(min(1.0, float(step[1]) / 100))
            status = process.wait()
        except BaseException:
            process.kill()  # whoever broke off must not leave an apt behind that goes on fetching
            raise
        finally:
            reader.join()
    if status:
        said = "".join(complaints)
        raise (_StaleListsError if _STALE.search(said) else InstallError)(meaning(said))


def _drain(stream: IO[str], into: list[str]) -> None:
    into.extend(stream)


def meaning(complaints: str) -> str:
    """Returns what apt's complaints mean to a person; where they are not known, their last line."""
    for pattern, sentence in _MEANINGS:
        if pattern.search(complaints):
            return sentence
    lines = [line for line in complaints.splitlines() if line.strip()]
    return f"apt-get failed: {lines[-1].strip()[:300]}" if lines else "apt-get failed and did not say why"


def _os_release(path: Path) -> Mapping[str, str]:
    """Returns the fields of os-release(5)."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _family(release: Mapping[str, str]) -> str:
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    for family in ("ubuntu", "debian"):  # what is like Ubuntu is also like Debian
        if family in names:
            return family
    raise InstallError(
        f"{release.get('PRETTY_NAME', 'this system')} is neither Debian nor Ubuntu: install Asterisk 20 or later yourself, or use PROVISIONER_PBX=external"
    )


def _mirror(host: Host, codename: str) -> Source:
    """Returns the entry from which the host's own release comes."""
    sources = list(_sources(host.apt))
    for wanted in ({codename}, _ALIASES):
        for source in sources:
            if wanted & set(source.suites) and "main" in source.components:
                return source
    raise InstallError(f"the apt sources in {host.apt} name no mirror of this release ({codename or 'unknown'})")


def _sources(apt: Path) -> Iterator[Source]:
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    for path in files:
        if path.is_file() and path.suffix in (".list", ".sources"):
            text = path.read_text("utf-8", "replace")
            yield from _one_line_sources(text) if path.suffix == ".list" else _stanza_sources(text)


def _one_line_sources(text: str) -> Iterator[Source]:
    """Reads the one-line style of sources.list(5)."""
    for line in text.splitlines():
        if found := _ONE_LINE.match(line.strip()):
            options = dict(option.split("=", 1) for option in (found["options"] or "").split() if "=" in option)
            yield Source(found["uri"], (found["suite"],), tuple(found["components"].split()), options.get("signed-by", ""))


def _stanza_sources(text: str) -> Iterator[Source]:
    """Reads the deb822 style of sources.list(5)."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        pairs = re.findall(r"^([A-Za-z-]+):((?:.*(?:\n[ \t].*)*))", stanza, re.MULTILINE)
        fields = {name.lower(): value.strip() for name, value in pairs}
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        keyring = fields.get("signed-by", "")
        signed_by = keyring if keyring.startswith("/") else ""  # a key written into the stanza is the host's, for its own release
        for uri in fields.get("uris", "").split():
            yield Source(uri, tuple(fields.get("suites", "").split()), tuple(fields.get("components", "").split()), signed_by)
