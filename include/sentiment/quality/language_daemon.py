"""Start Spark's Python workers with lingua's models loaded: forked, they share 200 MB, and a second each is spared.

Spark runs this module (`spark.python.daemon.module`) in place of its own, where a job detects languages.
"""

from __future__ import annotations

from pyspark import daemon

from sentiment.quality import language

if __name__ == "__main__":
    language.language_of("Any text of more than forty letters has lingua load the models of all its languages.")
    daemon.manager()  # type: ignore[no-untyped-call]
