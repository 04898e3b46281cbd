"""Secrets of the embedded default: generated once, stored in a file that only its owner can read."""

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
    """Return the secrets by name; those that are missing are generated and stored."""
    path = home / FILE
    stored: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    missing = [name for name in NAMES if name not in stored]
    if missing:
        stored |= {name: generate(name) for name in missing}
        write_private(path, json.dumps(stored, indent=1))
    return stored


def renew(home: Path, names: Iterable[str]) -> dict[str, str]:
    """Generate the named secrets anew, leave the others, store and return all of them."""
    stored = load(home) | {name: generate(name) for name in names}
    write_private(home / FILE, json.dumps(stored, indent=1))
    return stored


def generate(name: str) -> str:
    """Return a new secret: 24 random bytes in URL-safe base64; for Fernet 32, padded, as it requires."""
    if name == "airflow_fernet":
        return urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(24)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Created with its mode rather than changed later, so that nobody can open it in between.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    temporary.replace(path)
