"""The published model, requested by its name where the publisher's store can't be reached."""

from __future__ import annotations

import os
import subprocess

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.embedded import airflow
from sentiment.orchestration import adding
from sentiment.scoring import folders

NO_WAY_OUT = " ".join(f"-D{way}.proxyHost=127.0.0.1 -D{way}.proxyPort=9" for way in ("http", "https"))
"""Java is sent to a port where nobody listens, so that the test is the same on every machine."""


@pytest.mark.usefixtures("server")
def test_the_error_names_the_file_to_bring_and_nothing_is_registered() -> None:
    command = [str(airflow.bin_folder() / "sentiment"), "model", "add", adding.PUBLISHED, "--trust"]
    env = {**os.environ, "JAVA_TOOL_OPTIONS": NO_WAY_OUT}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    message = " ".join(done.stderr.split())
    assert done.returncode == 2, done.stderr
    assert f"sentiment model add {adding.PUBLISHED_ZIP}" in message
    assert "Traceback" not in message
    config = settings.load()
    assert adding.PUBLISHED not in folders.known(config)
    assert not list(config.models.glob(".adding-*"))
    with transaction() as c:
        registered = c.execute(sa.text("SELECT model_id FROM sentiment.model")).scalars().all()
    assert adding.PUBLISHED not in registered
