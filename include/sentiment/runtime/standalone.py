"""A Spark standalone master or worker from pyspark's own wheel, in the foreground.

python -m sentiment.runtime.standalone master
python -m sentiment.runtime.standalone worker spark://spark-master:7077
"""

from __future__ import annotations

import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from sentiment import settings
from sentiment.errors import ParameterError
from sentiment.runtime import spark

CLASSES = {
    "master": "org.apache.spark.deploy.master.Master",
    "worker": "org.apache.spark.deploy.worker.Worker",
}


def main() -> None:
    """Replace this process by the service that the first argument names; ParameterError for another name."""
    kind, *rest = sys.argv[1:] or [""]
    if kind not in CLASSES:
        raise ParameterError(f"{kind!r} is neither master nor worker.", "python -m sentiment.runtime.standalone master")
    config = settings.load()
    pyspark = find_spec("pyspark")
    assert pyspark is not None
    assert pyspark.origin is not None
    command = str(Path(pyspark.origin).parent / "bin" / "spark-class")
    options = " ".join(f"-D{name}={value}" for name, value in config.spark_conf.items())
    env = {**os.environ, **spark.environment(config), "SPARK_DAEMON_JAVA_OPTS": options}
    # Replaced rather than started as a child, so that a container's SIGTERM reaches the service.
    os.execve(command, [command, CLASSES[kind], "--host", socket.gethostname(), *rest], env)  # noqa: S606


if __name__ == "__main__":
    main()
