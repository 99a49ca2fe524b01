"""FusionPBX as a peer: the checkout that the user names, with a PostgreSQL, a php-fpm and an nginx of its own, all on the server's core."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.peers import program
from bench.plans import Plan
from bench.servers import Server, ServerError, accepts_tcp, free_port, launched

HOME = "BENCH_FUSIONPBX"
"""Names a checkout of FusionPBX."""
CONFIG = Path("/etc/fusionpbx/config.conf")
"""Where FusionPBX looks, and nowhere else; written for the run, and never over one that is there."""
SETUP_S = 600.0
DOMAIN = "11111111-1111-4111-8111-111111111111"

SETTINGS = """\
database.0.type = pgsql
database.0.host = 127.0.0.1
database.0.port = {port}
database.0.sslmode = prefer
database.0.name = fusionpbx
database.0.username = fusionpbx
database.0.password = none
document.root = {home}
project.path =
temp.dir = {work}
php.dir = /usr/bin
php.bin = php
cache.method = file
cache.location = {work}/cache
cache.settings = true
error.reporting = user
"""
FPM = """\
[global]
error_log = {work}/fpm.log
daemonize = no
[www]
user = www-data
group = www-data
listen = {work}/php.sock
listen.mode = 0666
listen.backlog = 4096
pm = static
pm.max_children = 8
"""
# Its 404s come without a length; the generator reads such to the end of the connection, and knows no chunks.
NGINX = """\
user root;
daemon off;
pid {work}/nginx.pid;
error_log {work}/nginx-error.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log {work}/access.log;
  client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3; uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {home};
    chunked_transfer_encoding off;
    rewrite "^/([A-Fa-f0-9]{{12}})\\.cfg$" /app/provision/index.php?mac=$1 last;
    rewrite "^/(y000000000[0-9]{{3}})\\.cfg$" /app/provision/index.php?file=$1.cfg last;
    location ~ \\.php$ {{
      fastcgi_pass unix:{work}/php.sock;
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    }}
  }}
}}
"""
ENABLED = "UPDATE v_default_settings SET default_setting_value = 'true', default_setting_enabled = true WHERE default_setting_category = 'provision' AND default_setting_subcategory = 'enabled';"
DOMAIN_ROW = f"INSERT INTO v_domains (domain_uuid, domain_name, domain_enabled) VALUES ('{DOMAIN}', '127.0.0.1', true);"


def home() -> Path:
    """Returns the checkout; raises ``ServerError`` with what is missing."""
    named = os.environ.get(HOME, "")
    if not named or not (Path(named) / "app/provision/index.php").exists():
        raise ServerError(f"FusionPBX is not there: {HOME} has to name a checkout of it (bench/README.md says how).")
    if os.geteuid() != 0:
        raise ServerError("FusionPBX reads /etc/fusionpbx/config.conf, which root alone may write.")
    if CONFIG.exists():
        raise ServerError(f"{CONFIG} is there already: this machine has a FusionPBX of its own, which is left alone.")
    return Path(named).resolve()


def rows_of(plan: Plan) -> str:
    """Returns SQL for the phones of ``plan``: a T46S each, with one line and one BLF key."""
    statements = []
    for number, phone in enumerate(plan.phones):
        who = f"'{DOMAIN}', md5('device{number}')::uuid"
        statements += [
            "INSERT INTO v_devices (domain_uuid, device_uuid, device_address, device_vendor, device_model, device_enabled, device_template, device_label)"
            f" VALUES ({who}, '{phone.mac}', 'yealink', 'T46S', true, 'yealink/t46s', 'Bench {number}');",
            "INSERT INTO v_device_lines (domain_uuid, device_uuid, device_line_uuid, line_number, server_address, label, display_name, user_id, auth_id,"
            f" password, sip_port, sip_transport, register_expires, enabled) VALUES ({who}, md5('line{number}')::uuid, '1', '127.0.0.1', 'Bench',"
            f" 'Bench {number}', 'u{number}', 'u{number}', 'secret{number}', 5060, 'udp', 3600, true);",
            "INSERT INTO v_device_keys (domain_uuid, device_uuid, device_key_uuid, device_key_id, device_key_category, device_key_vendor, device_key_type,"
            f" device_key_line, device_key_value, device_key_label) VALUES ({who}, md5('key{number}')::uuid, 3, 'line', 'yealink', '16', 1, '100001', 'Desk');",
        ]
    return "\n".join(statements)


def _run(words: Sequence[str], *, text: str | None = None, user: str | None = None, folder: Path | None = None, check: bool = True) -> None:
    done = subprocess.run(words, input=text, text=True, capture_output=True, timeout=SETUP_S, check=False, user=user, cwd=folder)
    if check and done.returncode != 0:
        raise ServerError(f"{' '.join(words[:2])} failed with status {done.returncode}: {(done.stderr or done.stdout).strip()[-600:]}")


def _postgres() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise ServerError("PostgreSQL is not installed (Debian: apt-get install postgresql).")
    return found[-1]


def _fill(source: Path, work: Path, port: int, plan: Plan) -> None:
    """Makes FusionPBX's own tables and default settings, and the phones. Its scripts end with an error where no FreeSWITCH is; the rows are there."""
    programs, address = _postgres(), ["-h", "127.0.0.1", "-p", str(port), "-U", "fusionpbx"]
    _run([str(programs / "createdb"), *address, "fusionpbx"])
    psql = [str(programs / "psql"), "-q", "-v", "ON_ERROR_STOP=1", *address, "fusionpbx"]
    _run(["php", str(source / "core/upgrade/upgrade_schema.php")], folder=source, check=False)
    _run(psql, text=DOMAIN_ROW)
    _run(["php", str(source / "core/upgrade/upgrade_domains.php")], folder=source, check=False)
    _run(psql, text=f"{ENABLED}\n{rows_of(plan)}\nANALYZE;")


def _takes_statements(port: int) -> bool:
    """Returns whether PostgreSQL is through with its start, which its open port does not say."""
    asked = [str(_postgres() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(asked, check=False).returncode == 0


@contextlib.contextmanager
def fusionpbx(plan: Plan, work: Path, *, core: int | None = None) -> Iterator[Server]:
    """FusionPBX with the phones of ``plan``; set up anew each time, which takes about a minute."""
    source, postgres_port, port = home(), free_port(), free_port()
    data, programs = work / "postgres", _postgres()
    for folder in (data, work / "cache"):
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    os.chown(data, pwd.getpwnam("postgres").pw_uid, -1)
    _run([str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "fusionpbx"], user="postgres")
    (work / "fpm.conf").write_text(FPM.format(work=work))
    (work / "nginx.conf").write_text(NGINX.format(work=work, home=source, port=port))
    CONFIG.parent.mkdir(exist_ok=True)
    try:
        CONFIG.write_text(SETTINGS.format(port=postgres_port, home=source, work=work))
        options = f"-D {data} -h 127.0.0.1 -p {postgres_port} -k {data}"
        fpm = next(iter(sorted(Path("/usr/sbin").glob("php-fpm*"))), Path("php-fpm"))
        script = f"setpriv --reuid postgres --regid postgres --clear-groups {programs}/postgres {options} & {fpm} -F -y {work}/fpm.conf & exec {program('nginx', 'nginx-light')} -c {work}/nginx.conf"
        with launched(
            "fusionpbx", ["sh", "-c", script], host="127.0.0.1", port=port, log=work / "out.log", core=core,
            ready=lambda: accepts_tcp("127.0.0.1", port) and _takes_statements(postgres_port),
        ) as server:  # fmt: skip
            _fill(source, work, postgres_port, plan)
            yield server
    finally:
        CONFIG.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            CONFIG.parent.rmdir()
