"""Airflow's connections win over the settings, with everything that was defined in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sentiment import database, settings
from sentiment.orchestration import connections
from sentiment.settings import Settings

EXTRA = {"sslmode": "verify-full", "sslrootcert": "/etc/a root/ca.pem"}
FIELDS = {
    "conn_type": "postgres",
    "host": "db.example",
    "port": 5433,
    "schema": "reviews",
    "login": "sentiment_writer",
    "password": "p@/%",
}
AS_ADDRESS = (
    "postgresql://sentiment_writer:p%40%2F%25@db.example:5433/reviews"
    "?sslmode=verify-full&sslrootcert=%2Fetc%2Fa+root%2Fca.pem"
)


@pytest.mark.parametrize(
    ("defined", "extra"),
    [
        (AS_ADDRESS, EXTRA),
        (json.dumps({**FIELDS, "extra": EXTRA}), EXTRA),
        (json.dumps({**FIELDS, "extra": {**EXTRA, "connect_timeout": 5}}), {**EXTRA, "connect_timeout": "5"}),
    ],
    ids=["address", "fields", "a number"],
)
def test_reviews_db_keeps_its_extras(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    set_settings: Callable[..., Settings],
    defined: str,
    extra: dict[str, str],
) -> None:
    set_settings(database_url="what the connection replaces", spark_master="what the connection replaces")
    monkeypatch.setenv("AIRFLOW_CONN_REVIEWS_DB", defined)
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_CLUSTER", json.dumps({"conn_type": "spark", "host": "local[2]"}))
    connections.use_connections()
    address, master = database.url("writer"), settings.load().spark_master
    assert (address.host, address.port, address.database) == ("db.example", 5433, "reviews")
    assert (address.username, address.password) == ("sentiment_writer", "p@/%")
    assert dict(address.query) == extra
    assert master == "local[2]"
