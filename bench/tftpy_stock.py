"""tftpy's own TftpServer, patched only so that it survives: `python -m bench.tftpy_stock FOLDER HOST PORT`.

As it stands it dies after the first transfer of a `dyn_file_func` body, because it locks a file that a BytesIO is not.
Nothing else is changed: one socket and one session object a phone, select(), the default receive buffer.
"""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import tftpy
import tftpy.TftpContexts


def serve(folder: Path, host: str, port: int) -> None:
    """Serves the files of a folder from memory until the process is ended."""
    bodies = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def opened(name: str, **_: object) -> io.BytesIO | None:
        body = bodies.get(name)
        return None if body is None else io.BytesIO(body)

    tftpy.TftpContexts.lockfile = lambda *_args, **_kwargs: None
    logging.getLogger("tftpy").setLevel(logging.ERROR)
    tftpy.TftpServer(tftproot=str(folder), dyn_file_func=opened, upload_open=lambda *_args: None).listen(host, port)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
