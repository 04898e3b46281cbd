"""What a process tree uses while it runs: its memory, the bytes it writes, and when its processes began."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Seen:
    """A process of the tree, as it was last seen: a shell that starts Java becomes Java."""

    command: tuple[str, ...]
    began: float
    """In seconds since 1970."""

    def runs(self, program: str, script: str | tuple[str, ...]) -> bool:
        """Return whether it is this program, by its file's name, and an argument ends as the script's path does."""
        name = self.command[0].rsplit("/", 1)[-1] if self.command else ""
        return name.startswith(program) and any(part.endswith(script) for part in self.command[1:])


@dataclass(frozen=True)
class Sample:
    """The tree at one moment."""

    at: float
    """In seconds since 1970."""
    memory_bytes: float
    """Shared pages count in proportion to the processes that share them (PSS)."""
    written_bytes: int
    """What processes, ended ones included, had sent to disks by then."""


class Sampler(threading.Thread):
    """A thread that looks at a process tree twice a second until `end` is called."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._stop_event = threading.Event()
        self._written: dict[psutil.Process, int] = {}
        self.processes: dict[psutil.Process, Seen] = {}
        self.samples: list[Sample] = []

    def run(self) -> None:
        """Sample until the end."""
        while not self._stop_event.wait(0.5):
            self.samples.append(self._sample())

    def end(self) -> None:
        """Stop sampling, and wait until the last sample is there."""
        self._stop_event.set()
        self.join()

    @property
    def peak_bytes(self) -> float:
        """The most memory that the tree has used at a sample."""
        return max((sample.memory_bytes for sample in self.samples), default=0.0)

    def written_between(self, began: float, ended: float) -> int:
        """Return the bytes that were written between two moments, in seconds since 1970, to the nearest samples."""
        before = max((s.written_bytes for s in self.samples if s.at <= began), default=0)
        return max((s.written_bytes for s in self.samples if s.at <= ended), default=0) - before

    def first(self, program: str, script: str | tuple[str, ...]) -> float | None:
        """Return when the first such process began, in seconds since 1970; null where there was none."""
        return min((seen.began for seen in self.processes.values() if seen.runs(program, script)), default=None)

    def _sample(self) -> Sample:
        memory = 0.0
        for process in self._tree():
            try:
                self.processes[process] = Seen(tuple(process.cmdline()), process.create_time())
                memory += process.memory_full_info().pss
                self._written[process] = process.io_counters().write_bytes
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return Sample(time.time(), memory, sum(self._written.values()))

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
