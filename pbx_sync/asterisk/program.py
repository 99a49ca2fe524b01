"""An Asterisk on this machine that can be run: the private one of ``install.py``, or the system's.

The private one is never entered by chroot: its own loader runs it with its own libraries, as any user, and the host's are not touched.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pbx_sync.asterisk.errors import AsteriskError

OLDEST_MAJOR = 20
PRIVATE = "asterisk"
"""Name of the private root below the folder that it is installed in."""
COMPLETE = "provisioner-complete"
"""Written into a private root when everything is in it: its version. A root without it is what a broken-off install left behind."""
_SYSTEM_PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_VERSION = re.compile(r"^Asterisk (?:certified/)?((\d+)\.\S+)", re.MULTILINE)
_DIRECTORY = re.compile(r"^\s*(ast\w+)\s*=>?\s*([^;\s]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """How an Asterisk is called, and where what it reads lies. ``share`` holds its sounds and its documentation."""

    command: tuple[str, ...]
    version: str
    modules: Path
    share: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    is_private: bool = False

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def has_module(self, name: str) -> bool:
        """Returns whether the module (``res_pjsip``) is installed."""
        return (self.modules / f"{name}.so").is_file()


def find_program(folder: Path) -> Program | None:
    """Returns the private Asterisk of ``folder``, else the system's where it is 20 or later, else None."""
    return private_program(folder) or system_program()


def private_program(folder: Path) -> Program | None:
    """Returns the Asterisk that was installed into ``folder``; None where there is none, or only a part of one."""
    return program_of_root(folder / PRIVATE) if (folder / PRIVATE / COMPLETE).is_file() else None


def program_of_root(root: Path) -> Program:
    """Returns the Asterisk below a root of unpacked packages, whatever its CPU. Raises ``AsteriskError`` where it cannot be run."""
    modules = next(root.glob("usr/lib/*/asterisk/modules"), None)
    if modules is None:
        raise AsteriskError(f"{root} holds no Asterisk")
    libraries = modules.parent.parent
    loader = next(iter(sorted(libraries.glob("ld*.so.*"))), None)
    if loader is None:
        raise AsteriskError(f"{libraries} holds no loader (ld.so)")
    # Packages from before the merge of /lib into /usr/lib keep theirs in /lib.
    path = ":".join(str(place) for place in (libraries, root / "lib" / libraries.name) if place.is_dir())
    command = (str(loader), "--library-path", path, str(root / "usr/sbin/asterisk"))
    # What a library loads by a path that was compiled in must not be the host's: it is of another version.
    environment = {
        "GCONV_PATH": str(libraries / "gconv"),
        "OPENSSL_MODULES": str(libraries / "ossl-modules"),
        "OPENSSL_CONF": str(root / "etc/ssl/openssl.cnf"),
    }
    return Program(command, version_of(command), modules, root / "usr/share/asterisk", environment, is_private=True)


def system_program(search: str = _SYSTEM_PLACES, configuration: Path = Path("/etc/asterisk/asterisk.conf")) -> Program | None:
    """Returns the Asterisk that the machine's administrator installed; None where there is none, or one before 20."""
    path = shutil.which("asterisk", path=search)
    if path is None:
        return None
    try:
        version = version_of((path,))
    except AsteriskError:
        return None
    modules, share = next(_modules(configuration), None), next(_shares(configuration), None)
    if modules is None or share is None or int(version.partition(".")[0]) < OLDEST_MAJOR:
        return None
    return Program((path,), version, modules, share)


def version_of(command: tuple[str, ...]) -> str:
    """Returns what ``asterisk -V`` says, for example ``22.10.1``. Raises ``AsteriskError`` where it does not run."""
    try:
        done = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AsteriskError(f"{command[-1]} cannot be run: {error}") from error
    found = _VERSION.search(done.stdout)
    if done.returncode or not found:
        raise AsteriskError(f"{command[-1]} does not run: {(done.stderr or done.stdout).strip()[:300] or f'exit status {done.returncode}'}")
    return found[1].partition("+")[0].partition("~")[0]


def _modules(configuration: Path) -> Iterator[Path]:
    named = _directories(configuration).get("astmoddir")
    places = [Path(named)] if named else [*Path("/usr/lib").glob("*/asterisk/modules"), Path("/usr/lib/asterisk/modules")]
    yield from (place for place in (*places, Path("/usr/lib64/asterisk/modules")) if (place / "chan_pjsip.so").is_file())


def _shares(configuration: Path) -> Iterator[Path]:
    named = _directories(configuration).get("astdatadir")
    places = [Path(named)] if named else []
    yield from (place for place in (*places, Path("/usr/share/asterisk"), Path("/var/lib/asterisk")) if (place / "sounds").is_dir())


def _directories(configuration: Path) -> dict[str, str]:
    try:
        return dict(_DIRECTORY.findall(configuration.read_text("utf-8", "replace")))
    except OSError:
        return {}
