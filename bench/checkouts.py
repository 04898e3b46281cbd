"""Another checkout of this project, of whatever version: its commands run as a person types them, nothing is imported.

Each has an environment, a home and a server of its own. What a night took is read from where every version since
ed0ba86 writes it: the steps in its database, and Airflow's log.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg2
from dotenv import dotenv_values
from psycopg2.extensions import connection as Connection
from sentiment.errors import InfrastructureError, ParameterError
from sentiment.settings import EMBEDDED_ENV, PROJECT_ROOT

from bench.processes import Sampler

OLD = "ed0ba86"
"""The version that the present one is measured against."""
PUBLISHING_PATCH = Path(__file__).with_name("old_publishing.patch")
OF_THE_CALLER = ("SENTIMENT_", "AIRFLOW", "NIGHTLY_", "MAKE", "MFLAGS", "VIRTUAL_ENV", "PYTHON")
"""Beginnings of variables of our own that must not reach the commands of another checkout."""
VALUES = (
    "DUMP",
    "DATE",
    "MODEL",
    "SOURCE",
    "PROFILE",
    "ENCODING",
    "SUPERSEDE",
    "ALLOW",
    "REASON",
    "SENTENCES",
    "DRY_RUN",
)
"""What a night is typed with, which `make` refuses from the environment."""
NEWEST_ATTEMPT = "SELECT coalesce(max(token), 0) FROM sentiment.run_step"
STEPS_SINCE = """
SELECT step, extract(epoch FROM started_at)::float, extract(epoch FROM finished_at)::float
FROM sentiment.run_step WHERE token > %s AND state = 'done' ORDER BY token"""


@dataclass(frozen=True)
class Step:
    """When a step began and ended, in seconds since 1970."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass(frozen=True)
class Night:
    """What one night took, from the command's start to its end, in seconds since 1970."""

    began: float
    ended: float
    steps: dict[str, Step]
    """Those that are done, by name."""
    sampler: Sampler
    log: Path
    """Airflow's."""

    @property
    def seconds(self) -> float:
        """How long the person who typed it waited."""
        return self.ended - self.began


@dataclass(frozen=True)
class Checkout:
    """A checkout whose environment is there, and a home of its own for what is measured."""

    folder: Path
    home: Path

    @property
    def bin(self) -> Path:
        """The folder of its environment's commands."""
        return self.folder / ".venv" / "bin"

    def command(self, *command: str) -> str:
        """Run a command of its environment in its folder; return what it printed, InfrastructureError if it fails."""
        return _run([str(self.bin / command[0]), *command[1:]], self.folder, _environment(self.home))

    def make(self, *arguments: str) -> str:
        """Run `make` in its folder; return what it printed, InfrastructureError where it fails."""
        return _run(["make", *arguments], self.folder, _environment(self.home))

    def night(self, values: dict[str, str], until: str = "", env: Mapping[str, str] | None = None) -> Night:
        """Run `make nightly` with values like DUMP; interrupt it, as by Ctrl-C, once the step `until` is done.

        Raises InfrastructureError, with the end of its output, where it fails.
        """
        token = self._newest_token()
        typed = ["make", "nightly", *(f"{name}={value}" for name, value in values.items())]
        began = time.time()
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                # What a shell starts in the background ignores the interrupt, and hands that on.
                ["env", "--default-signal=INT", *typed],
                cwd=self.folder,
                env=_environment(self.home) | dict(env or {}),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            sampler = Sampler(process.pid)
            sampler.start()
            interrupted = self._wait(process, token, until)
            ended = time.time()
            sampler.end()
            output.seek(0)
            if process.returncode and not interrupted:
                raise _failed(typed, output.read())
        log = max((self.home / "logs").glob(f"nightly-{values['DATE']}-*.log"), key=lambda path: path.stat().st_mtime)
        return Night(began, ended, self.steps(token), sampler, log)

    def _wait(self, process: subprocess.Popen[bytes], token: int, until: str) -> bool:
        """Wait for a night's end; return whether it was interrupted because the step `until` was done."""
        while until and process.poll() is None:
            if until in self.steps(token):
                os.killpg(process.pid, signal.SIGINT)
                process.wait()
                return True
            time.sleep(1)
        process.wait()
        return False

    def _newest_token(self) -> int:
        if not (self.home / EMBEDDED_ENV).exists():
            return 0
        with self.connected() as connection, connection.cursor() as cursor:
            cursor.execute(NEWEST_ATTEMPT)
            row: Any = cursor.fetchone()
            return int(row[0])

    def start(self) -> None:
        """Start the server of a home that has one; the first night starts another's."""
        if (self.home / EMBEDDED_ENV).exists():
            self.command("sentiment", "db", "roles")

    def steps(self, since: int) -> dict[str, Step]:
        """Return name -> step of every step that is done, of those with a higher token."""
        with self.connected() as connection, connection.cursor() as cursor:
            cursor.execute(STEPS_SINCE, (since,))
            return {step: Step(began, ended) for step, began, ended in cursor}

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Connect to its reviews database as the owner."""
        address = dotenv_values(self.home / EMBEDDED_ENV)["SENTIMENT_OWNER_URL"]
        with closing(psycopg2.connect(address)) as connection:
            yield connection

    def newest_night(self) -> date | None:
        """Return the newest night of any run but of the default source, which has yesterday's; null where none is."""
        if not (self.home / EMBEDDED_ENV).exists():
            return None
        with self.connected() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT max(night) FROM sentiment.run WHERE source <> 'allocine'")
            row: Any = cursor.fetchone()
            night: date | None = row[0]
            return night

    def cold_s(self) -> float:
        """Clone it, run the clone's first night with the caches of this machine filled, and return the seconds."""
        with tempfile.TemporaryDirectory(prefix="sentiment-cold-") as folder:
            Path(folder).chmod(0o755)  # Postgres runs as another user where we are root
            clone = Checkout(Path(folder) / "clone", Path(folder) / "clone" / ".local")
            _run(["git", "clone", "--quiet", str(self.folder), str(clone.folder)], self.folder, _environment(None))
            began = time.time()
            try:
                clone.make("nightly")
                return time.time() - began
            finally:
                clone.make("clean", "SURE=1")


def prepare(folder: Path, commit: str, report: Callable[[str], None]) -> Checkout:
    """Clone this checkout, of another version, and make its environment and home; what is there already stays.

    Raises ParameterError where the folder holds something else, InfrastructureError where a command fails.
    """
    if not folder.exists():
        report(f"cloning {commit} into {folder}")
        _run(["git", "clone", "--quiet", str(PROJECT_ROOT), str(folder)], PROJECT_ROOT, _environment(None))
        _run(["git", "checkout", "--quiet", "--detach", commit], folder, _environment(None))
        if commit == OLD:
            # Its measurement of publishing leaves out a column that its own job reads.
            _run(["git", "apply", str(PUBLISHING_PATCH)], folder, _environment(None))
    prepared = there(folder, folder / ".local")
    report("its environment, its home and its server")
    prepared.make(str(prepared.bin.parent / ".run"))
    prepared.make("nightly")
    prepared.make("down")
    return prepared


def there(folder: Path, home: Path) -> Checkout:
    """Return the checkout in a folder; ParameterError where there is none."""
    if not (folder / "Makefile").is_file() or shutil.which("git") is None:
        raise ParameterError(f"{folder} is no checkout.", f"python -m bench --prepare-old {folder}")
    return Checkout(folder.resolve(), home.resolve())


def event_logs(folder: Path) -> dict[str, str]:
    """Return the variable by which Spark writes an event log for each application of a night into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    conf = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": folder.as_uri(), "spark.eventLog.compress": "false"}
    return {"SENTIMENT_SPARK_CONF": json.dumps(conf)}


def _environment(home: Path | None) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(OF_THE_CALLER) and k not in VALUES}
    # Wide, since what is parsed must not be wrapped.
    return inherited | {"COLUMNS": "250"} | ({"SENTIMENT_HOME": str(home)} if home else {})


def _run(command: list[str], folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _failed(command, done.stdout + done.stderr)
    return done.stdout


def _failed(command: list[str], output: str) -> InfrastructureError:
    return InfrastructureError(f"{' '.join(command)} failed:\n{output[-2000:]}", "sentiment doctor")
