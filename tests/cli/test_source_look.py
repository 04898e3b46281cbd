"""A look at a dump: what a night would read, refuse and stop for, and a source profile that mends it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sentiment import cli
from sentiment.dump.profiles import Profile
from sentiment.errors import DumpRefusedError, ParameterError
from sentiment.jobs import looking
from sentiment.runs.model import Reading
from sentiment.settings import Settings
from typer.testing import CliRunner

from tests.kit import commands

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.usefixtures("spark")
Look = Callable[..., looking.Seen]
FILMS = ("Le Lac", "La Rive")


@pytest.fixture
def look(set_settings: Callable[..., Settings], tmp_path: Path) -> Look:
    """Return a function that looks at a dump by a profile's name, or by the one that fits best."""
    config = set_settings(sources=tmp_path)
    return lambda path, profile=None, most=looking.SAMPLE: looking.look(
        str(path), config, Reading("mine", profile), most
    )


def saved(seen: looking.Seen, folder: Path) -> str:
    """Save the suggested profile as TOML; return its name."""
    import tomli_w

    (folder / "saved.toml").write_text(tomli_w.dumps(seen.suggested), "utf-8")
    assert Profile(name="saved", **tomllib.loads((folder / "saved.toml").read_text("utf-8"))).columns["text"]
    return "saved"


def written(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    return path


def review(n: int, **values: Any) -> dict[str, Any]:
    return {"id": n, "film": "Le Lac", "pseudo": f"a{n}", "avis": f"Vu {n} fois, ce film est très beau."} | values


def test_values_that_would_stop_a_night_are_read_by_the_suggested_profile(look: Look, tmp_path: Path) -> None:
    records = [review(n, note=n % 10 + 1, date=f"{n % 12 + 1}/{n % 28 + 1}/2024", sentiment="bof") for n in range(40)]
    seen = look(written(tmp_path / "a.jsonl", records))
    by_name = {column.name: column for column in seen.columns}
    assert (by_name["rating"].read_from, by_name["rating"].n, by_name["rating"].n_unread) == ("note", 40, 20)
    assert by_name["rating"].examples == ("6", "7", "8")
    assert by_name["polarity"].n_unread == 40
    assert (by_name["author"].n, by_name["text"].n) == (40, 40)
    assert [stop.split()[0] for stop in seen.stops] == ["unread_share:"] * 3
    assert (seen.suggested["rating_scale"], seen.suggested["dates"]) == (10, ["iso", "month_first"])
    assert seen.suggested["columns"]["rating"] == ["note"]  # type: ignore[index]
    again = look(tmp_path / "a.jsonl", saved(seen, tmp_path))
    assert [stop.partition(" of ")[2][:16] for stop in again.stops] == ["40 values of pol"]


def test_ids_that_are_none_are_named_with_the_columns_that_are(look: Look, tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    folder.mkdir()
    for film in FILMS:
        written(folder / f"{film}.jsonl", [review(n, film=film, avis=f"Vu {n} fois, {film}.") for n in range(6)])
    seen = look(folder)
    assert [stop.split()[0] for stop in seen.stops] == ["identity:"]
    assert seen.suggested["identity"] == ["item_id", "own_id"]
    again = look(folder, saved(seen, tmp_path))
    assert (again.stops, again.counts) == ([], {"accepted": 12, "quarantined": 0, "duplicate": 0})


def test_a_sample_is_of_every_file_and_all_is_all(look: Look, tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    folder.mkdir()
    for name in "abc":
        written(folder / f"{name}.jsonl", [review(n, id=f"{name}{n}") for n in range(9)])
    assert [file.n_records for file in look(folder, most=12).dump.files] == [4, 4, 4]
    assert [file.n_records for file in look(folder, most=None).dump.files] == [9, 9, 9]
    assert not list(Path(Settings().home).glob("look-*"))


def test_refused_records_are_shown_by_rule(look: Look, tmp_path: Path) -> None:
    records = [review(n) for n in range(9)] + [review(9, avis="A film that nobody would want to see again, really.")]
    seen = look(written(tmp_path / "a.jsonl", records))
    assert (seen.reasons, seen.counts["quarantined"], seen.stops) == ({"text_french": 1}, 1, [])
    assert "record 10 of file 0" in seen.refused[0]


@pytest.mark.heavy
def test_the_command_saves_the_profile_and_exits_as_a_night_would(
    spark: SparkSession, tmp_path: Path, set_settings: Callable[..., Settings]
) -> None:
    path = written(tmp_path / "a.jsonl", [review(n, note=n % 10 + 1) for n in range(40)])
    code, output = commands.run("source", "look", str(path), "--write", str(tmp_path / "mine.toml"))
    assert code == DumpRefusedError.exit_code, output
    assert "rating_scale = 10" in (tmp_path / "mine.toml").read_text("utf-8")
    code, output = commands.run("source", "look", str(path), "--write", str(tmp_path / "mine.toml"))
    assert code == ParameterError.exit_code, output
    set_settings(sources=tmp_path)
    # In this process, on its session: the first command has started Spark.
    done = CliRunner().invoke(cli.app, ["source", "look", str(path), "--profile", "mine"])
    assert (done.exit_code, "40 accepted" in done.stdout) == (0, True), done.output
