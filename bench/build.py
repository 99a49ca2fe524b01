"""Compiles the two load generators into bench/build/ when their sources are newer than the programs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
GENERATORS = ("httpstorm", "tftpstorm")
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")


class BuildError(Exception):
    """A generator cannot be compiled; the message is the sentence to show."""


def _is_fresh(program: Path, sources: list[Path]) -> bool:
    return program.exists() and all(program.stat().st_mtime >= source.stat().st_mtime for source in sources)


def generator(name: str) -> Path:
    """Returns the path of an up-to-date generator, compiling it first where needed; raises BuildError."""
    program, source = BUILD / name, HERE / f"{name}.c"
    if _is_fresh(program, [source, HERE / "storm.h"]):
        return program
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise BuildError(
            "The load generators are C programs and there is no C compiler here: install gcc (Debian: apt-get install gcc libc6-dev)."
        )
    BUILD.mkdir(exist_ok=True)
    done = subprocess.run([compiler, *FLAGS, "-o", str(program), str(source)], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise BuildError(f"{source.name} does not compile:\n{done.stderr}")
    return program


def build_all() -> list[Path]:
    """Returns the paths of both generators, compiled."""
    return [generator(name) for name in GENERATORS]


if __name__ == "__main__":
    for built in build_all():
        print(built)
