"""The embedded server: started once, restarted after a kill, stopped with all its processes."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
from sentiment.embedded.postgres import EmbeddedPostgres, Server
from sentiment.errors import InfrastructureError, SetupError

from tests.kit.databases import postmaster

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module", params=["reachable", "private"])
def postgres(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    """One server whose folder everyone can reach, and one below a folder of mode 700."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755 if request.param == "reachable" else 0o700)
        server = EmbeddedPostgres(Path(folder) / "postgres")
        yield server
        server.destroy()
        assert not server.root.exists()


def ask(server: Server, query: str) -> object:
    connection = psycopg2.connect(server.url("postgres"))
    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    connection.close()
    assert row is not None
    return row[0]


def test_starts_once_on_loopback_and_speaks_french(postgres: EmbeddedPostgres) -> None:
    server = postgres.start()
    assert postgres.start() == server
    assert ask(server, "SELECT lower('ÉTÉ')") == "été"
    assert ask(server, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(server, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
    assert server.password not in repr(server)
    assert postmaster(postgres).username() != "root"


def test_comes_back_on_its_port_after_a_kill(postgres: EmbeddedPostgres) -> None:
    server = postgres.start()
    process = postmaster(postgres)
    family = [process, *process.children()]
    for member in family:
        os.kill(member.pid, signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)
    again = postgres.start()
    assert again.port == server.port
    assert ask(again, "SELECT 1") == 1


def test_stop_leaves_no_process(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    process = postmaster(postgres)
    family = [process, *process.children(recursive=True)]
    postgres.stop()
    gone, alive = psutil.wait_procs(family, timeout=10)
    assert len(gone) == len(family)
    assert not alive
    postgres.stop()


def test_another_version_is_refused(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    postgres.stop()
    version = postgres.folder / "PG_VERSION"
    original = version.read_text()
    version.write_text("12\n")
    with pytest.raises(SetupError, match="12"):
        postgres.start()
    version.write_text(original)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as other, tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = EmbeddedPostgres(Path(folder) / "postgres", port)
        with pytest.raises(InfrastructureError, match=str(port)) as refused:
            server.start()
        assert "SENTIMENT_POSTGRES_PORT=0" in refused.value.try_next
        server.destroy()
