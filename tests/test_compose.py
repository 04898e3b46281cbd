"""The real Compose accepts our file, and what it makes of it is as safe as we say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
COMPOSE = Path(sys.executable).parent / "docker-compose"
SECRETS = [line.split("=")[0] for line in (ROOT / "docker/example.env").read_text().splitlines() if line.endswith("=")]


def config(env_file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(COMPOSE), "-f", str(ROOT / "docker-compose.yaml"), "--env-file", str(env_file), "config", *arguments]
    env = {"PATH": os.environ["PATH"], "HOME": str(env_file.parent)}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "filled.env"
    path.write_text("".join(f"{name}=value-of-{name}\n" for name in SECRETS))
    return path


@pytest.fixture
def services(filled: Path) -> dict[str, Any]:
    done = config(filled, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def test_config_is_valid(filled: Path) -> None:
    done = config(filled, "-q")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_has_a_default(filled: Path, name: str) -> None:
    filled.write_text("".join(line for line in filled.read_text().splitlines(True) if not line.startswith(f"{name}=")))
    done = config(filled, "-q")
    assert done.returncode != 0
    assert f"fill in {name}" in done.stderr


def test_every_port_is_on_loopback(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert [(p["host_ip"], p["target"]) for p in ports] == [("127.0.0.1", 8080)]


def test_one_image_and_one_set_of_secrets(services: dict[str, Any]) -> None:
    ours = {name: s for name, s in services.items() if name != "postgres"}
    assert {s["image"] for s in ours.values()} == {"sentiment:0.1.0"}
    assert all(s["cap_drop"] == ["ALL"] for s in ours.values())
    for key in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "SENTIMENT_DATABASE_URL"):
        assert len({s["environment"][key] for s in ours.values()}) == 1


def test_the_image_copies_what_is_in_the_tree() -> None:
    copied = [
        name
        for line in (ROOT / "docker/Dockerfile").read_text().splitlines()
        if line.startswith("COPY")
        for name in line.split()[1:-1]
    ]
    assert {"dags", "plugins", "include", "requirements.txt"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
