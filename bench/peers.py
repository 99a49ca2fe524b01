"""What a user would pick instead: nginx, tftpd-hpa, dnsmasq, stock tftpy; each served from a folder, on loopback, pinned to a core."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from bench.servers import Server, ServerError, accepts_tcp, answers_tftp, free_port, launched

DNSMASQ_HOST, DNSMASQ_PORT = "127.0.0.69", 69  # dnsmasq has no option for another TFTP port, so it gets an address of its own.
ROOT = Path(__file__).resolve().parent.parent

NGINX = """\
{user}
daemon off;
worker_processes {workers};
worker_rlimit_nofile 65536;
pid {work}/nginx.pid;
error_log {work}/nginx-error.log error;
events {{ worker_connections 16384; }}
http {{
  access_log {work}/nginx-access.log;
  log_not_found off;
  default_type text/plain;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 65;
  keepalive_requests 1000000;
  client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3;
  uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {folder};
  }}
}}
"""


def program(name: str, package: str) -> str:
    """Returns the path of an installed program; raises ServerError with the package to install."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise ServerError(f"{name} is not installed (Debian: apt-get install {package}).")
    return found


def _open_to_all(*folders: Path) -> None:
    """Lets a server that gives up root still read the folders."""
    for folder in folders:
        folder.chmod(0o755)


@contextlib.contextmanager
def nginx(folder: Path, work: Path, *, core: int | None = None, workers: int = 1) -> Iterator[Server]:
    """nginx serving a folder: one worker, backlog 4096, keep-alive, access log to a file (ours is on too)."""
    port = free_port()
    _open_to_all(folder, work)
    user = "user root;" if os.geteuid() == 0 else ""
    conf = work / "nginx.conf"
    conf.write_text(NGINX.format(user=user, workers=workers, work=work, port=port, folder=folder))
    command = [program("nginx", "nginx-light"), "-c", str(conf), "-e", str(work / "nginx-error.log")]
    with launched(
        "nginx", command, host="127.0.0.1", port=port, log=work / "nginx.log", core=core, ready=lambda: accepts_tcp("127.0.0.1", port)
    ) as server:
        yield server


@contextlib.contextmanager
def tftpd_hpa(folder: Path, work: Path, *, core: int | None = None) -> Iterator[Server]:
    """tftpd-hpa in listening mode: one forked process a transfer."""
    port = free_port(socket.SOCK_DGRAM)
    _open_to_all(folder, work)
    command = [
        program("in.tftpd", "tftpd-hpa"),
        "--foreground",
        "--address",
        f"127.0.0.1:{port}",
        "--user",
        "root",
        "--secure",
        str(folder),
    ]
    with launched(
        "tftpd-hpa", command, host="127.0.0.1", port=port, log=work / "hpa.log", core=core, ready=lambda: answers_tftp("127.0.0.1", port)
    ) as server:
        yield server


@contextlib.contextmanager
def dnsmasq(folder: Path, work: Path, *, core: int | None = None) -> Iterator[Server]:
    """dnsmasq as a TFTP server only, with room for 4000 sessions (its default is 50)."""
    _open_to_all(folder, work)
    command = [program("dnsmasq", "dnsmasq-base"), "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"]
    command += [f"--listen-address={DNSMASQ_HOST}", "--bind-interfaces", "--enable-tftp", f"--tftp-root={folder}", "--tftp-max=4000"]
    command += [f"--pid-file={work / 'dnsmasq.pid'}", f"--log-facility={work / 'dnsmasq-log'}", "--quiet-tftp"]
    with launched(
        "dnsmasq",
        command,
        host=DNSMASQ_HOST,
        port=DNSMASQ_PORT,
        log=work / "dnsmasq.log",
        core=core,
        ready=lambda: answers_tftp(DNSMASQ_HOST, DNSMASQ_PORT),
    ) as server:
        yield server


@contextlib.contextmanager
def tftpy_stock(folder: Path, work: Path, *, core: int | None = None) -> Iterator[Server]:
    """tftpy's own server, patched only to survive a transfer of bytes from memory."""
    port = free_port(socket.SOCK_DGRAM)
    command = [sys.executable, "-m", "bench.tftpy_stock", str(folder), "127.0.0.1", str(port)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with launched(
        "tftpy",
        command,
        host="127.0.0.1",
        port=port,
        log=work / "tftpy.log",
        core=core,
        env=env,
        ready=lambda: answers_tftp("127.0.0.1", port),
    ) as server:
        yield server


TFTPPeer = Callable[..., AbstractContextManager[Server]]
TFTP_PEERS: dict[str, TFTPPeer] = {"tftpd-hpa": tftpd_hpa, "dnsmasq": dnsmasq, "tftpy": tftpy_stock}


def versions() -> list[str]:
    """Returns one line a peer: its version, or that it is missing."""
    lines = []
    for name, package, flag in (("nginx", "nginx-light", "-v"), ("in.tftpd", "tftpd-hpa", "-V"), ("dnsmasq", "dnsmasq-base", "-v")):
        try:
            done = subprocess.run([program(name, package), flag], capture_output=True, text=True, timeout=10, check=False)
            lines.append((done.stdout + done.stderr).strip().splitlines()[0].split("  ")[0])
        except (ServerError, IndexError) as error:
            lines.append(str(error))
    return lines
