"""Runs the admin listener for the browser: ``python -m tests.e2e.serving DATA_DIR PORT``."""

from __future__ import annotations

import sys
from pathlib import Path

from provisioner.parts.listeners import run_admin
from provisioner.settings import Settings, load_settings


def settings_of(folder: Path, port: int) -> Settings:
    """Returns the settings of the installation that the browser looks at: real catalogue, a PBX in memory."""
    environ = {"DATA_DIR": str(folder), "PUBLIC_HOST": "192.0.2.10", "PBX": "fake", "ADMIN_BIND": f"127.0.0.1:{port}"}
    return load_settings({f"PROVISIONER_{name}": value for name, value in environ.items()}, file=folder / "none.toml")


if __name__ == "__main__":
    run_admin(settings_of(Path(sys.argv[1]), int(sys.argv[2])))
