#!/bin/sh
# On a standalone master Spark's driver takes the secret from its configuration only, not from _SPARK_AUTH_SECRET.
# Neither arguments nor `conf` may hold it, so it goes into a file that only this user can read.
set -eu
if [ -n "${_SPARK_AUTH_SECRET:-}" ]; then
  (
    umask 077
    mkdir -p "$SPARK_CONF_DIR"
    printf 'spark.authenticate.secret %s\n' "$_SPARK_AUTH_SECRET" >"$SPARK_CONF_DIR/spark-defaults.conf"
  )
fi
exec "$@"
