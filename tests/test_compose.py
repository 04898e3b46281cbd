"""The real Compose accepts docker-compose.yaml, and the services it makes of it are as safe as documented."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
COMPOSE = Path(sys.executable).parent / "docker-compose"
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text("utf-8")
EXAMPLE = (ROOT / "docker/compose.env.example").read_text("utf-8")
SECRETS = re.findall(r"^(\w+)=$", EXAMPLE, re.MULTILINE)
AIRFLOW = {"prepare", "api-server", "scheduler", "dag-processor", "triggerer"}
SPARK = {"spark-master", "spark-worker"}

Services = dict[str, dict[str, Any]]


def config(env_file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Compose with nothing of this machine's environment; `env_file` decides all."""
    command = [str(COMPOSE), "-f", str(ROOT / "docker-compose.yaml"), "--env-file", str(env_file), "config", *arguments]
    env = {"PATH": os.environ["PATH"], "HOME": str(env_file.parent)}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "filled.env"
    path.write_text(re.sub(r"^(\w+)=$", r"\1=value-of-\1", EXAMPLE, flags=re.MULTILINE), "utf-8")
    return path


@pytest.fixture
def services(filled: Path) -> Services:
    done = config(filled, "--format", "json")
    assert done.returncode == 0, done.stderr
    parsed: Services = json.loads(done.stdout)["services"]
    return parsed


def test_config_is_valid(filled: Path) -> None:
    done = config(filled, "-q")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_as_it_is_is_refused() -> None:
    done = config(ROOT / "docker/compose.env.example", "-q")
    assert done.returncode != 0
    assert any(name in done.stderr for name in SECRETS)


@pytest.mark.parametrize("replacement", ["", "{name}=\n"], ids=["unset", "empty"])
@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_has_a_default(filled: Path, name: str, replacement: str) -> None:
    text = filled.read_text("utf-8")
    filled.write_text(text.replace(f"{name}=value-of-{name}\n", replacement.format(name=name)), "utf-8")
    done = config(filled, "-q")
    assert done.returncode != 0
    assert name in done.stderr


def test_no_secret_is_written_into_the_file(services: Services) -> None:
    secret = re.compile(r"PASSWORD$|SECRET|FERNET|SQL_ALCHEMY_CONN|_URL$|CONN_REVIEWS_DB")
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            if secret.search(key) and key != "AIRFLOW__CORE__EXECUTION_API_SERVER_URL":
                assert "value-of-" in value, f"{name}: {key}"
        assert "value-of-" not in json.dumps(service.get("command")), name


def test_every_port_is_on_loopback(services: Services) -> None:
    ports = [(name, port) for name, service in services.items() for port in service.get("ports", [])]
    assert [(name, p["host_ip"], p["target"]) for name, p in ports] == [("api-server", "127.0.0.1", 8080)]
    assert not [name for name, service in services.items() if service.get("network_mode")]


def test_one_image_without_privileges(services: Services) -> None:
    assert services.keys() == AIRFLOW | SPARK | {"postgres"}
    built = [services[name] for name in AIRFLOW | SPARK]
    assert {s["image"] for s in built} == {"sentiment:0.1.0"}
    assert {s["build"]["dockerfile"] for s in built} == {"docker/Dockerfile"}
    assert all(s["cap_drop"] == ["ALL"] for s in built)
    assert all(s["security_opt"] == ["no-new-privileges:true"] for s in services.values())
    assert services["spark-worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("AIRFLOW__API_AUTH__JWT_SECRET", "value-of-AIRFLOW_JWT_SECRET"),
        ("AIRFLOW__API__SECRET_KEY", "value-of-AIRFLOW_API_SECRET"),
        ("AIRFLOW__CORE__FERNET_KEY", "value-of-AIRFLOW_FERNET_KEY"),
        ("AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME", "86400"),
        ("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://api-server:8080/execution/"),
        ("SENTIMENT_SPARK_MASTER", "spark://spark-master:7077"),
    ],
)
def test_airflow_services_agree(services: Services, key: str, value: str) -> None:
    assert {name: services[name]["environment"].get(key) for name in AIRFLOW} == dict.fromkeys(AIRFLOW, value)


def test_services_know_only_the_secrets_they_need(services: Services) -> None:
    known = {
        name: set(re.findall(r"value-of-(\w+?)(?=\W|$)", json.dumps(s["environment"]))) for name, s in services.items()
    }
    assert known["postgres"] == {"POSTGRES_PASSWORD"}
    assert all(known[name] == {"SPARK_SECRET"} for name in SPARK)
    only_prepare = {"POSTGRES_PASSWORD", "OWNER_PASSWORD", "AIRFLOW_ADMIN_PASSWORD"}
    assert all(known[name] == set(SECRETS) - only_prepare for name in AIRFLOW - {"prepare"})
    assert known["prepare"] == set(SECRETS)


def test_nothing_starts_before_what_it_needs(services: Services) -> None:
    waits = {
        name: {on: how["condition"] for on, how in s.get("depends_on", {}).items()} for name, s in services.items()
    }
    assert waits["prepare"] == {"postgres": "service_healthy"}
    assert all(waits[name]["prepare"] == "service_completed_successfully" for name in AIRFLOW - {"prepare"})
    assert waits["scheduler"].items() >= {"api-server": "service_healthy", "spark-master": "service_healthy"}.items()
    assert waits["spark-worker"] == {"spark-master": "service_healthy"}
    healthy = {on for conditions in waits.values() for on, how in conditions.items() if how == "service_healthy"}
    assert all("healthcheck" in services[name] for name in healthy)


def test_the_image_holds_what_is_in_the_tree(services: Services) -> None:
    home = re.findall(r"^WORKDIR (\S+)$", DOCKERFILE, re.MULTILINE)
    assert home == ["/opt/sentiment"]
    lines = [line.split()[1:] for line in DOCKERFILE.splitlines() if line.startswith("COPY")]
    copied = {source: "" if target == "./" else target for *sources, target in lines for source in sources}
    assert copied.keys() >= {"dags", "plugins", "include", "requirements.txt", "docker/entrypoint.sh"}
    assert all((ROOT / source).exists() for source in copied)
    assert all(target in {"", source} for source, target in copied.items())
    assert not [n for n, s in services.items() for v in s.get("volumes", []) if v["target"].startswith(home[0])]
    for name in AIRFLOW:
        environment = services[name]["environment"]
        assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == f"{home[0]}/{copied['dags']}"
        assert environment["AIRFLOW__CORE__PLUGINS_FOLDER"] == f"{home[0]}/{copied['plugins']}"


def test_the_image_is_locked_and_not_root() -> None:
    installs = [line for line in DOCKERFILE.splitlines() if re.search(r"pip (install|sync)", line)]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-deps -e ." in line for line in installs)
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["sentiment"]


def test_the_spark_secret_is_in_a_private_file(tmp_path: Path) -> None:
    folder = tmp_path / "spark-conf"
    env = {"PATH": os.environ["PATH"], "SPARK_CONF_DIR": str(folder), "_SPARK_AUTH_SECRET": "canary"}
    command = ["sh", str(ROOT / "docker/entrypoint.sh"), "sh", "-c", 'umask; printf "%s|" "$@"', "-", "a b", "c"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True, umask=0o022)
    assert done.stdout.split() == ["0022", "a", "b|c|"]
    assert (folder / "spark-defaults.conf").read_text("utf-8") == "spark.authenticate.secret canary\n"
    assert (folder / "spark-defaults.conf").stat().st_mode & 0o777 == 0o600
