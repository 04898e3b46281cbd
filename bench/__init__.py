"""Measurements that `make bench` prints, each beside its budget; nothing here asserts a time."""
