"""The names of the batch checks, apart from the checks: the command line and DAG files need nothing else of them."""

from __future__ import annotations

from enum import StrEnum


class BatchCheck(StrEnum):
    """A check that can be allowed, by the name that commands take and the ledger stores."""

    dump_date = "dump_date"
    same_dump = "same_dump"
    schema_change = "schema_change"
    row_count = "row_count"
    quarantine_share = "quarantine_share"
    unread_share = "unread_share"
