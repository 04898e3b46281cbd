"""A dump is taken in once nobody writes its files any more, and is the same one from the first look to the last."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sentiment.dump import arrival
from sentiment.errors import DumpNotFoundError, InfrastructureError

NOW = 1_790_000_000.0


def write(path: Path, text: str, age_s: float) -> None:
    path.write_text(text)
    os.utime(path, (NOW - age_s, NOW - age_s))


def at_rest(folder: Path, changed_to: str = "") -> tuple[bool, list[float]]:
    """Whether the folder's dump is at rest at NOW, and the pauses; `changed_to` is written in a pause."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if changed_to:
            write(folder / "b.jsonl", changed_to, 0)

    files = arrival.at_rest(str(folder), lambda: NOW, pause)
    assert files is None or files == arrival.look(str(folder))
    return files is not None, pauses


def test_files_that_were_written_a_minute_ago_are_at_rest_at_one_look(tmp_path: Path) -> None:
    for name, age_s in (("a.jsonl", arrival.REST_S + 1), ("b.jsonl", 1e6)):
        write(tmp_path / name, "x", age_s)
    assert at_rest(tmp_path) == (True, [])


@pytest.mark.parametrize("age_s", [0, arrival.REST_S, -1e6])
def test_younger_ones_are_at_rest_if_two_looks_see_the_same(tmp_path: Path, age_s: float) -> None:
    write(tmp_path / "a.jsonl", "x", 1e6)
    write(tmp_path / "b.jsonl", "x", age_s)
    assert at_rest(tmp_path) == (True, [arrival.BETWEEN_LOOKS_S])
    for later in ("xx", "y"):
        write(tmp_path / "b.jsonl", "x", age_s - 5)
        assert at_rest(tmp_path, changed_to=later)[0] is False


def test_a_file_that_comes_between_the_looks(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", "x", 0)
    assert at_rest(tmp_path, changed_to="x")[0] is False


def test_no_dump_is_no_dump_at_rest(tmp_path: Path) -> None:
    with pytest.raises(DumpNotFoundError):
        at_rest(tmp_path)


def test_what_changed_is_named(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        write(tmp_path / name, "x", 0)
    before = arrival.look(str(tmp_path))
    arrival.check_unchanged(str(tmp_path), before)
    write(tmp_path / "b.jsonl", "xx", 0)
    with pytest.raises(InfrastructureError, match=r"b\.jsonl"):
        arrival.check_unchanged(str(tmp_path), before)
    (tmp_path / "b.jsonl").unlink()
    with pytest.raises(InfrastructureError, match=r"b\.jsonl"):
        arrival.check_unchanged(str(tmp_path), before)
