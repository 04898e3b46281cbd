"""Where each second of a night goes: Airflow, Java, imports, the Spark session, Spark's jobs and all other work.

Read from outside, so that it works for every version: from Airflow's log when tasks began and ended, from the process
tree when Java and Python began, from `sentiment.run_step` when attempts did, from Spark's event logs the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.checkouts import Night, Step

TASK = re.compile(r"^(\S+Z) .*\[DAG TEST\] (starting|end task) (?:task )?task_id=(\w+)")
COLUMNS = ("Airflow", "Java", "imports", "session", "Spark jobs", "other work", "end")
AIRFLOW = ("/airflow", ".airflow_command")
"""How the argument ends that starts Airflow: its own command, or ours of later versions."""
BEFORE, START, AFTER = "command, until Airflow starts", "Airflow's start", "end of Airflow and of the command"


@dataclass(frozen=True)
class Seconds:
    """A table of one night: a row for each task, and for what is before, between and after them."""

    title: str
    rows: dict[str, dict[str, float]]
    """Row -> column -> seconds; a column that a row has not is no part of it."""

    def cells(self) -> list[tuple[str, ...]]:
        """Return the cells of each row, its sum last, and of the sums of all rows."""
        sums = {name: sum(row.get(name, 0) for row in self.rows.values()) for name in COLUMNS}
        return [self._cells(name, row) for name, row in [*self.rows.items(), ("all", sums)]]

    def _cells(self, name: str, row: dict[str, float]) -> tuple[str, ...]:
        shown = [f"{row[column]:.1f}" if column in row else "" for column in COLUMNS]
        return name, *shown, f"{sum(row.values()):.1f}"


@dataclass(frozen=True)
class Application:
    """A Spark application, by its event log."""

    name: str
    ready: float
    """When its executor was there, in seconds since 1970."""
    jobs_s: float
    """Seconds in which at least one of its jobs ran."""


def seconds(title: str, night: Night, events: Path) -> Seconds:
    """Return the table of a night whose applications wrote event logs into a folder."""
    tasks, rows = task_times(night.log.read_text("utf-8", "replace")), dict[str, dict[str, float]]()
    applications = [application(path.read_text("utf-8")) for path in sorted(events.iterdir())]
    airflow = night.sampler.first("python", AIRFLOW) or night.began
    first, last = min(task.began for task in tasks.values()), max(task.ended for task in tasks.values())
    rows[BEFORE] = {"other work": airflow - night.began}
    rows[START] = {"Airflow": first - airflow}
    for name, task in tasks.items():
        own = next((a for a in applications if a.name.split()[1:2] == [name]), None)
        rows[name] = _task(name, task, night, own)
    between = (last - first) - sum(task.seconds for task in tasks.values())
    rows["between tasks"] = {"Airflow": between}
    rows[AFTER] = {"Airflow": night.ended - last}
    return Seconds(title, rows)


def _task(name: str, task: Step, night: Night, own: Application | None) -> dict[str, float]:
    step = night.steps.get(name)
    java, python = (night.sampler.first(program, f"jobs/{name}.py") for program in ("java", "python"))
    if step is None:
        return {"Airflow": task.seconds}
    if own is None or java is None or python is None:
        return {"Airflow": task.seconds - step.seconds, "other work": step.seconds}
    return {
        "Airflow": java - task.began,
        "Java": python - java,
        "imports": step.began - python,
        "session": own.ready - step.began,
        "Spark jobs": own.jobs_s,
        "other work": step.ended - own.ready - own.jobs_s,
        "end": task.ended - step.ended,
    }


def task_times(log: str) -> dict[str, Step]:
    """Return task -> when it began and ended, by the log of `airflow dags test`."""
    began, ended = dict[str, float](), dict[str, float]()
    for line in log.splitlines():
        if marked := TASK.match(line):
            at = datetime.fromisoformat(marked[1]).astimezone(UTC).timestamp()
            (began if marked[2] == "starting" else ended)[marked[3]] = at
    return {name: Step(at, ended[name]) for name, at in began.items() if name in ended}


def application(events: str) -> Application:
    """Return what an event log, one JSON object a line, has of its application."""
    name, ready, running = "", 0.0, list[tuple[float, float]]()
    began: dict[int, float] = {}
    for event in map(json.loads, events.splitlines()):
        match event["Event"]:
            case "SparkListenerApplicationStart":
                name = event["App Name"]
            case "SparkListenerExecutorAdded":
                ready = ready or event["Timestamp"] / 1000
            case "SparkListenerJobStart":
                began[event["Job ID"]] = event["Submission Time"] / 1000
            case "SparkListenerJobEnd":
                running.append((began[event["Job ID"]], event["Completion Time"] / 1000))
    return Application(name, ready, sum(ended - started for started, ended in merged(running)))


def merged(spans: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield spans that don't overlap, in order, which cover the same."""
    current: tuple[float, float] | None = None
    for began, ended in sorted(spans):
        if current is None:
            current = began, ended
        elif began <= current[1]:
            current = current[0], max(current[1], ended)
        else:
            yield current
            current = began, ended
    if current is not None:
        yield current
