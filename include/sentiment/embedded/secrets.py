"""Secrets of the embedded default: generated once, kept in a file only its owner can read."""

from __future__ import annotations

import json
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path

FILE = "secrets.json"
NAMES = (
    "sentiment_owner",
    "sentiment_writer",
    "sentiment_reader",
    "airflow",
    "airflow_admin",
    "airflow_jwt",
    "airflow_api",
    "airflow_fernet",
)


def load(home: Path) -> dict[str, str]:
    """The secrets by name, generated where they are missing."""
    path = home / FILE
    kept: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    missing = [name for name in NAMES if name not in kept]
    if missing:
        kept |= {name: generate(name) for name in missing}
        write_private(path, json.dumps(kept, indent=1))
    return kept


def renew(home: Path, names: Iterable[str]) -> dict[str, str]:
    """Generate these secrets anew and keep the others; the file is replaced whole or not at all."""
    kept = load(home) | {name: generate(name) for name in names}
    write_private(home / FILE, json.dumps(kept, indent=1))
    return kept


def generate(name: str) -> str:
    """A new secret: 24 random bytes, or the key that Fernet wants."""
    if name == "airflow_fernet":
        return urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(24)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    beside.replace(path)
