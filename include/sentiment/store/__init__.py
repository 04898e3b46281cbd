"""Postgres: migrations, roles, publishing."""
