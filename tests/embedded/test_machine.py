"""What a machine lacks is listed with the command that mends it; secrets stay private."""

from __future__ import annotations

import hashlib
import socket
import stat
from pathlib import Path

import pytest
from sentiment.embedded import airflow, doctor, secrets
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
