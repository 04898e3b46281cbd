"""What a machine lacks is listed with the command that mends it; secrets stay private."""

from __future__ import annotations

import hashlib
import socket
import stat
from pathlib import Path

import pytest
from sentiment import settings
from sentiment.embedded import airflow, doctor, machine, secrets
from sentiment.errors import InfrastructureError, SetupError
from sentiment.runtime import jars
from sentiment.settings import Settings

pytestmark = pytest.mark.postgres


def test_doctor_on_a_bare_home_names_every_gap_and_its_cure(tmp_path: Path) -> None:
    bare = Settings(home=tmp_path / "home", cache=tmp_path / "cache", airflow_port=1)
    checks = {check.requirement: check for check in doctor.examine(bare)}
    missing = {requirement for requirement, check in checks.items() if not check.ok}
    assert {"jars of Spark NLP", "secrets"} <= missing
    assert all(check.mend for check in checks.values())
    assert not (tmp_path / "home").exists()


def test_a_taken_port_is_named_with_another_to_try() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SetupError, match=str(port)) as refused:
            airflow.check_port(port)
    assert refused.value.try_next == f"SENTIMENT_AIRFLOW_PORT={port + 1} make up"


def test_secrets_are_generated_once_and_only_for_their_owner(tmp_path: Path) -> None:
    first = secrets.load(tmp_path)
    assert secrets.load(tmp_path) == first
    assert len(set(first.values())) == len(secrets.NAMES)
    assert min(len(value) for value in first.values()) >= 32
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def readable_by_others(home: Path) -> set[str]:
    """Return the files below a home that another user can read who knows their names."""

    def opened(path: Path) -> bool:
        between = [p for p in path.parents if p.is_relative_to(home)]
        return bool(path.stat().st_mode & 0o004) and all(p.stat().st_mode & 0o001 for p in between)

    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and opened(path)}


@pytest.mark.usefixtures("server")
def test_only_the_owner_reads_what_the_server_wrote() -> None:
    home = settings.load().home
    # What tests before may have written beside these folders, like models and Data Docs, holds no review.
    own = {"postgres", *machine.PRIVATE}
    opened = {path for path in readable_by_others(home) if "/" not in path or path.split("/")[0] in own}
    assert {path for path in opened if not path.endswith(".lock")} == set()
    assert all(stat.S_IMODE((home / name).stat().st_mode) == 0o700 for name in machine.PRIVATE)


def test_reviews_and_logs_of_an_earlier_version_become_private(tmp_path: Path) -> None:
    files = {f"{name}/some/file" for name in machine.PRIVATE}
    for path in map(tmp_path.joinpath, files):
        path.parent.mkdir(parents=True)
        path.touch(0o644)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)
    assert readable_by_others(tmp_path) == files
    machine.make_private(Settings(home=tmp_path))
    assert readable_by_others(tmp_path) == set()


def test_a_folder_elsewhere_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    (tmp_path / "home" / "dumps").symlink_to(tmp_path / "shared")
    machine.make_private(Settings(home=tmp_path / "home"))
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o755


def test_a_jar_that_is_not_what_it_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "good.jar").write_bytes(b"good")
    sums = {"good.jar": hashlib.sha256(b"good").hexdigest()}
    jars.verify(tmp_path, sums)
    (tmp_path / "good.jar").write_bytes(b"tampered")
    with pytest.raises(InfrastructureError, match=r"good\.jar"):
        jars.verify(tmp_path, sums)


def test_the_manifest_and_the_sums_name_the_same_jars() -> None:
    manifest = (jars.MANIFEST / "ivy.xml").read_text("utf-8")
    named = {part: manifest.count(f'conf="{part}->master"') for part in (jars.TENSORFLOW, jars.PRETRAINED)}
    assert {part: len(jars.expected(part)) for part in named} == named == {jars.TENSORFLOW: 2, jars.PRETRAINED: 3}
    assert manifest.count("<dependency ") - sum(named.values()) == len(jars.expected()) == 9


def test_missing_jars_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as refused:
        jars.spark_jars(Settings(home=tmp_path, cache=tmp_path))
    assert refused.value.try_next == "make nightly"
