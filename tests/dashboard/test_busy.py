"""A reviews database that has stopped, and many visitors at once: Airflow's own answers don't wait for them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi import FastAPI
from sentiment.dashboard import reading
from sentiment.settings import Settings

from tests.kit import browsers, visitors

VISITORS = 50


class Freezable:
    """A way to a server that can be stopped, as SIGSTOP stops one, and let go on: what is sent waits meanwhile."""

    def __init__(self, host: str, port: int) -> None:
        self._target, self._goes_on = (host, port), threading.Event()
        self._goes_on.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Answer nothing from now on."""
        self._goes_on.clear()

    def go_on(self) -> None:
        """Answer again, what came meanwhile too."""
        self._goes_on.set()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._goes_on.wait()
        server = socket.create_connection(self._target)
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                self._goes_on.wait()
                other.sendall(data)
        except OSError:
            pass
        finally:
            other.close()


@pytest.fixture
def way(server: object, config: Settings, set_settings: Callable[..., Settings]) -> Iterator[Freezable]:
    """Have the pages read by a way that can be stopped."""
    from sentiment import database

    address = database.url("reader")
    assert address.host
    assert address.port
    way = Freezable(address.host, address.port)
    set_settings(reader_url=address.set(port=way.port).render_as_string(hide_password=False))
    yield way
    way.go_on()
    way.close()
    reading._engine.cache_clear()


@pytest.fixture
def api_server(way: Freezable) -> Iterator[str]:
    """Serve the pages beside another answer of the same process, as Airflow's api-server does; return the address."""
    parent = FastAPI()

    @parent.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    parent.mount("/sentiment", visitors.guarded())
    with browsers.served(parent) as address:
        yield address


def timed(address: str) -> tuple[int, float, str]:
    began = time.monotonic()
    answer = httpx.get(address, timeout=30)
    return answer.status_code, time.monotonic() - began, answer.text


def test_visitors_of_a_stopped_database_hold_up_nobody(api_server: str, way: Freezable) -> None:
    assert timed(f"{api_server}/sentiment/")[0] == 200
    way.stop()
    with ThreadPoolExecutor(VISITORS) as visitors:
        pages = [visitors.submit(timed, f"{api_server}/sentiment/") for _ in range(VISITORS)]
        time.sleep(0.3)
        for _ in range(5):
            status, seconds, _ = timed(f"{api_server}/health")
            assert status == 200
            # Milliseconds where nothing else is at work, as other tests are.
            assert seconds < 3
        answers = [page.result() for page in pages]
    assert {status for status, _, _ in answers} == {503}
    # A second to be let in, three to wait for the server, and what 50 pages take to write beside other tests.
    assert max(seconds for _, seconds, _ in answers) < 15
    assert all("reviews database" in text or "visitors" in text for _, _, text in answers)
    way.go_on()
    end = time.monotonic() + 10
    while timed(f"{api_server}/sentiment/")[0] != 200:
        assert time.monotonic() < end, "the pages don't come back by themselves"
        time.sleep(0.2)
