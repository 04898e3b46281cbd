"""Read the reviews database for pages, as its reader: few connections, and nobody waits long, whatever the server does.

A server that has stopped answering leaves a statement waiting for ever: libpq knows no bound on the client's side. So
statements run on threads of their own, and a page stops waiting for them; the event loop of Airflow's api-server never
waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sentiment import database
from sentiment.errors import InfrastructureError

Rows = Sequence[sa.Row[Any]]
Answer = TypeVar("Answer")
Query = Callable[[sa.Connection], Answer]
"""Reads what a page shows on one connection, in one snapshot."""

CONNECTIONS = 5
"""Connections of one process, and statements at once."""
CONNECT_S, STATEMENT_S = 2, 3
ANSWER_S = 3.0
"""Seconds after which a page is answered that the database is away."""
WAIT_S = 1.0
"""Seconds that a visitor waits for one of the connections."""
CHECK = "sentiment doctor"


class AwayError(InfrastructureError):
    """The reviews database doesn't answer in time."""


class BusyError(InfrastructureError):
    """All connections are taken by other visitors."""


def read_now(query: Query[Answer]) -> Answer:
    """Return what a query reads, on this thread; raise AwayError where the server is away, refuses or takes too long.

    Raises SetupError and ParameterError where no address is configured, or none that is one.
    """
    try:
        with _engine(database.url("reader")).connect() as connection:
            # One snapshot, so that the figures of a page belong together.
            return query(connection.execution_options(isolation_level="REPEATABLE READ"))
    except (DBAPIError, PoolTimeoutError) as error:
        raise AwayError("The reviews database doesn't answer.", CHECK) from error


@cache
def _engine(address: sa.URL) -> sa.Engine:
    bounds = f"-c statement_timeout={STATEMENT_S}s -c lock_timeout={STATEMENT_S}s -c default_transaction_read_only=on"
    connect = {"connect_timeout": CONNECT_S, "application_name": "sentiment dashboard", "options": bounds}
    return sa.create_engine(
        address, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=CONNECT_S, pool_pre_ping=True, connect_args=connect
    )


class Reader:
    """Reads for the visitors of one event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="sentiment-dashboard")
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def read(self, query: Query[Answer]) -> Answer:
        """Return what a query reads; raise AwayError or BusyError where it is not there in time.

        A thread that still waits for the server keeps its slot.
        """
        try:
            await asyncio.wait_for(self._slots.acquire(), WAIT_S)
        except TimeoutError:
            raise BusyError("Too many visitors at once: try again in a moment.", CHECK) from None
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, partial(read_now, query))
        future.add_done_callback(self._release)
        try:
            return await asyncio.wait_for(asyncio.shield(future), ANSWER_S)
        except TimeoutError:
            raise AwayError(f"The reviews database has not answered for {ANSWER_S:g} seconds.", CHECK) from None

    def _release(self, future: asyncio.Future[Answer]) -> None:
        self._slots.release()
        # Asked for, since asyncio logs the error of a statement that nobody waits for any more.
        if not future.cancelled():
            future.exception()
