"""Bringing Asterisk onto a machine: from the mirror that the machine names, all or nothing, and a sentence for whatever goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from pbx_sync.asterisk import install
from pbx_sync.asterisk.errors import AsteriskError, InstallError
from pbx_sync.asterisk.install import install_asterisk
from pbx_sync.asterisk.packages import SEARCH, Host, fetch_packages, meaning, source_lines
from pbx_sync.asterisk.program import COMPLETE, PRIVATE, Program, find_program, private_program, program_of_root, system_program
from tests.conftest import BUILD

DEBIAN = 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04"\n'
MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n'
STANZAS = """\
# The security suite comes first, to be passed over.
Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
# A comment in the middle.
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no
"""


def silent(what: str, share: float) -> None:
    """Nobody looks at the progress."""


def machine(folder: Path, release: str, sources: str, *, name: str = "sources.list", search: str = SEARCH) -> Host:
    """Returns a machine that says it is ``release`` and has its sources in the file ``name`` below ``/etc/apt``."""
    (folder / "os-release").write_text(release)
    path = folder / "apt" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sources)
    return Host(folder / "os-release", folder / "apt", folder / "keyrings", search)


def test_debian_takes_sid_from_its_own_mirror(tmp_path: Path) -> None:
    host = machine(tmp_path, DEBIAN, STANZAS, name="sources.list.d/debian.sources")
    assert source_lines(host) == [
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg check-valid-until=no] http://mirror.example/debian sid main"
    ]


def test_the_archives_keyring_is_preferred(tmp_path: Path) -> None:
    host = machine(tmp_path, DEBIAN, "deb [signed-by=/old.gpg arch=amd64] http://mirror.example/debian bookworm main # ours\n")
    assert "signed-by=/old.gpg" in source_lines(host)[0]
    host.keyrings.mkdir()
    (host.keyrings / "debian-archive-keyring.gpg").touch()
    assert f"signed-by={host.keyrings}/debian-archive-keyring.gpg" in source_lines(host)[0]


@pytest.mark.parametrize("release", [UBUNTU, MINT], ids=["ubuntu", "what is like ubuntu"])
def test_ubuntu_takes_universe_of_its_own_release(tmp_path: Path, release: str) -> None:
    host = machine(tmp_path, release, "deb https://mirror.example/ubuntu noble main restricted\n")
    assert source_lines(host) == [
        f"deb [check-valid-until=no] https://mirror.example/ubuntu {suite} main universe"
        for suite in ("noble", "noble-updates", "noble-security")
    ]


@pytest.mark.parametrize(
    ("release", "sources", "sentence"),
    [
        ("ID=fedora\nPRETTY_NAME=Fedora\n", "", "Fedora is neither Debian nor Ubuntu"),
        ("", "", "this system is neither Debian nor Ubuntu"),
        (
            DEBIAN,
            "deb http://mirror.example/debian bookworm contrib\ndeb-src http://mirror.example/debian bookworm main\n",
            "name no mirror",
        ),
    ],
    ids=["another system", "a system that says nothing", "no entry of its release"],
)
def test_a_machine_without_such_a_mirror_is_told(tmp_path: Path, release: str, sources: str, sentence: str) -> None:
    with pytest.raises(InstallError, match=sentence):
        source_lines(machine(tmp_path, release, sources))


@pytest.mark.parametrize(
    ("complaint", "sentence"),
    [
        ("E: You don't have enough free space in /x/archives/.", "disk is full"),
        ("Err:1 http://mirror.example sid InRelease\n  Temporary failure resolving 'mirror.example'", "cannot be reached"),
        ("  Could not connect to 192.0.2.1:80 (192.0.2.1), connection timed out", "cannot be reached"),
        ("W: GPG error: http://x sid InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 1", "keyring"),
        ("E: Unable to locate package asterisk", "CPU architecture"),
        ("E: Package 'asterisk' has no installation candidate", "CPU architecture"),
        ("E: Failed to fetch http://x/a.deb  404  Not Found [IP: 192.0.2.1 80]", "try again later"),
        ("E: Failed to fetch http://x/a.deb  Hash Sum mismatch", "try again later"),
        ("\nE: Something that nobody has seen\n", "E: Something that nobody has seen"),
        ("", "did not say why"),
    ],
)  # fmt: skip
def test_apts_complaints_are_put_into_words(complaint: str, sentence: str) -> None:
    assert sentence in meaning(complaint)


def test_without_apt_it_is_said_what_to_do(tmp_path: Path) -> None:
    host = machine(tmp_path, DEBIAN, "deb http://mirror.example/debian bookworm main\n", search=str(tmp_path))
    with pytest.raises(InstallError, match="apt-get is missing"):
        fetch_packages(tmp_path / "fetched", host, silent)


def test_a_mirror_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    """Port 9 of loopback (discard): nobody listens there."""
    host = machine(tmp_path, DEBIAN, "deb http://127.0.0.1:9/debian bookworm main\n")
    with pytest.raises(InstallError, match="cannot be reached"):
        install_asterisk(tmp_path / "data", silent, host=host)
    assert private_program(tmp_path / "data") is None


@pytest.mark.parametrize(
    "complaint", ["The package lists or status file could not be parsed or opened.", "Can't find a source to download version '1' of 'x'"]
)
@pytest.mark.parametrize("times", [1, 2])
def test_lists_that_do_not_hold_are_fetched_anew_once(tmp_path: Path, complaint: str, times: int) -> None:
    """An apt that complains as often as there are files to count by, and sees whether it was given lists of before."""
    fetched, count = tmp_path / "fetched", tmp_path / "count"
    (fetched / "state/lists").mkdir(parents=True)
    (fetched / "state/lists/of-before").touch()
    count.write_text("x" * times)
    programs = tmp_path / "bin"
    programs.mkdir()
    script = f"""#!/bin/sh
for word; do [ "$word" = install ] && break; done
[ "$word" = install ] || exit 0
if [ -s {count} ]; then printf %s "$(cut -c2- {count})" > {count}; echo "E: {complaint}" >&2; exit 100; fi
[ -e {fetched}/state/lists/of-before ] && exit 99
touch {fetched}/cache/archives/asterisk.deb
"""
    for name in ("apt-get", "dpkg-deb"):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    host = machine(tmp_path, DEBIAN, "deb http://mirror.example/debian bookworm main\n", search=f"{programs}:{SEARCH}")
    if times == 1:
        assert [path.name for path in fetch_packages(fetched, host, silent)] == ["asterisk.deb"]
    else:
        with pytest.raises(InstallError, match="apt-get failed"):
            fetch_packages(fetched, host, silent)


def test_a_full_disk_is_said_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "NEEDED_BYTES", 2**62)
    with pytest.raises(InstallError, match=r"has \d+ MB free"):
        install_asterisk(tmp_path, silent)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InstallError, match="cannot be installed in"):
        install_asterisk(tmp_path / "file" / "below", silent)


def test_a_root_without_its_mark_is_none(tmp_path: Path) -> None:
    (tmp_path / PRIVATE / "usr").mkdir(parents=True)
    assert private_program(tmp_path) is None
    with pytest.raises(AsteriskError, match="holds no Asterisk"):
        program_of_root(tmp_path / PRIVATE)


def fake_system(folder: Path, version: str) -> tuple[str, Path]:
    """Makes a system's Asterisk that says it is ``version``; returns where programs are looked for, and its configuration."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "asterisk"
    program.write_text(f"#!/bin/sh\necho 'Asterisk {version}'\n")
    program.chmod(0o755)
    for place in ("modules", "share/sounds"):
        (folder / place).mkdir(parents=True)
    (folder / "modules" / "chan_pjsip.so").touch()
    configuration = folder / "asterisk.conf"
    configuration.write_text(f"[directories](!)\nastmoddir => {folder}/modules ; where\nastdatadir => {folder}/share\n")
    return str(folder / "bin"), configuration


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("20.6.0~dfsg+~cs6.13.40431414-2build5", "20.6.0"), ("22.1.0", "22.1.0"), ("certified/20.7-cert2", "20.7-cert2"), ("18.10.0", None),
        ("16.28.0~dfsg-0+deb11u4", None),
    ],
)  # fmt: skip
def test_the_systems_own_is_taken_from_20_on(tmp_path: Path, said: str, version: str | None) -> None:
    found = system_program(*fake_system(tmp_path, said))
    assert (found.version if found else None) == version
    assert found is None or (found.modules, found.share, found.is_private) == (tmp_path / "modules", tmp_path / "share", False)


def test_no_system_asterisk_is_none(tmp_path: Path) -> None:
    assert system_program(str(tmp_path)) is None


@pytest.mark.asterisk
def test_what_was_installed_runs_and_is_found(asterisk_program: Program) -> None:
    assert asterisk_program.major >= 20
    assert asterisk_program.is_private
    assert find_program(BUILD) == asterisk_program
    assert (asterisk_program.share / "sounds" / "en" / "pbx-invalid.gsm").is_file()
    assert list((asterisk_program.share / "moh").iterdir())
    assert not (BUILD / ".asterisk-fetched").exists(), "what was fetched is not kept"


@pytest.mark.asterisk
def test_it_is_installed_once(asterisk_program: Program) -> None:
    told: list[str] = []
    assert install_asterisk(BUILD, lambda what, share: told.append(what)) == asterisk_program
    assert told == []


_INSTALL = """
import os, sys
from pathlib import Path
from pbx_sync.asterisk.install import install_asterisk
if os.geteuid() == 0 and len(sys.argv) > 2:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
install_asterisk(Path(sys.argv[1]), lambda what, share: print(what, flush=True))
"""


@pytest.mark.asterisk
@pytest.mark.slow
def test_broken_off_at_every_step_it_is_complete_or_not_there(tmp_path: Path) -> None:
    """Killed while it fetches, while it unpacks, then left alone: as an ordinary user, from the machine's real mirror."""
    folder = tmp_path / "data"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        for place in (tmp_path, *tmp_path.parents):
            if place.is_relative_to(tempfile.gettempdir()) and place != Path(tempfile.gettempdir()):
                place.chmod(0o755)
    for step in ("Fetching Asterisk", "Unpacking Asterisk"):
        with subprocess.Popen([sys.executable, "-c", _INSTALL, str(folder), "nobody"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert any(line.startswith(step) for line in process.stdout)
            time.sleep(0.3)
            process.kill()
        assert private_program(folder) is None
        assert find_program(folder) == system_program()
    done = subprocess.run([sys.executable, "-c", _INSTALL, str(folder), "nobody"], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    program = private_program(folder)
    assert program is not None
    assert (folder / PRIVATE / COMPLETE).read_text() == f"{program.version}\n"


@pytest.mark.asterisk
def test_two_at_once_wait_for_each_other(asterisk_program: Program) -> None:
    found: list[Program] = []
    threads = [threading.Thread(target=lambda: found.append(install_asterisk(BUILD, silent))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [asterisk_program] * 4
