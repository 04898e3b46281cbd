"""Forked processes that kill (SIGKILL) or stop (SIGSTOP) themselves at a phase of the pipeline.

The pipeline announces its phases (`sentiment.runs.phases`) to Python's audit hooks.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from sentiment.errors import SentimentError

UNEXPECTED_ERROR = 70
"""Exit code of a process that ended with another error than the pipeline's own (EX_SOFTWARE of sysexits.h)."""

Work = Callable[[], None]


def on_phase(phase: str, action: Work) -> None:
    """Have this process do `action` the first time it comes to `phase`."""
    reached = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal reached
        if event == "sentiment.phase" and arguments[0] == phase and not reached:
            reached = True
            action()

    # An audit hook can't be removed again, so this belongs in a process that ends soon.
    sys.addaudithook(hook)


def fork(work: Work, phase: str = "", send: int = signal.SIGKILL) -> int:
    """Fork a process that does `work` and sends itself the signal `send` at `phase`; return its id."""
    # What is still buffered would be written by both processes.
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _work_and_exit(work, phase, send)
    return pid


def _work_and_exit(work: Work, phase: str, send: int) -> None:
    code = UNEXPECTED_ERROR
    try:
        on_phase(phase, lambda: os.kill(os.getpid(), send))
        work()
        code = 0
    except SentimentError as error:
        code = error.exit_code
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        # Neither pytest's nor Spark's own handlers of the parent's exit may run here.
        os._exit(code)


def exit_code(pid: int) -> int:
    """Wait for a process; return its exit code, or minus the number of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_at(phase: str, work: Work) -> list[str]:
    """Do `work` in a process that kills itself at `phase`; return a violation where it never came there."""
    code = exit_code(fork(work, phase))
    return [] if code == -signal.SIGKILL else [f"never came to be killed at {phase!r}: exit code {code}"]


def stop_at(phase: str, work: Work) -> int:
    """Do `work` in a process that stops itself at `phase`, and wait until it has; return its id."""
    pid = fork(work, phase, signal.SIGSTOP)
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), f"never stopped at {phase!r}"
    return pid


def overtake(phase: str, slow: Work, fast: Work) -> set[int]:
    """Stop `slow` at `phase`, do `fast` meanwhile, let `slow` go on; return both exit codes."""
    pid = stop_at(phase, slow)
    fast_code = exit_code(fork(fast))
    os.kill(pid, signal.SIGCONT)
    return {exit_code(pid), fast_code}


def in_own_thread(work: Work) -> Work:
    """Return `work` to be done in a thread of its own, with the pipeline's errors raised as usual.

    py4j opens a connection for each thread: a forked process that used its parent's would mix up both processes'
    answers.
    """

    def run() -> None:
        errors: list[SentimentError] = []

        def catch() -> None:
            try:
                work()
            except SentimentError as error:
                errors.append(error)

        thread = threading.Thread(target=catch)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]

    return run
