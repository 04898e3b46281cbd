"""Refused records as a person works them, by the very commands: list, show, export, and what a requeue would do."""

from __future__ import annotations

import csv
import hashlib
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sentiment import cli, spreadsheet
from sentiment.contract import RAW_HEAD_BYTES
from sentiment.database import transaction
from sentiment.runs import attempts
from sentiment.runs.handoff import ReceivedDump
from sentiment.runs.model import Run
from sentiment.spreadsheet import cell
from sentiment.store import quarantine
from sentiment.store.quarantine import Which, shown
from typer.testing import CliRunner

from tests.kit.rows import remove_source
from tests.store import small_night

SOURCE, NIGHT = "worked", date(2031, 3, 4)
RECORDS = (
    b'=HYPERLINK("http://x";"y")\tand a tab',
    b"caf\xe9 \x1b[2J \xc3\xa9t\xc3\xa9 \xe2\x80\xae;-)",
    b"x" * (RAW_HEAD_BYTES + 500),
    b"",
)
INSERT = """
INSERT INTO sentiment.quarantine (run_id, file_no, record_no, reasons, details, raw, raw_bytes, raw_sha256, byte_offset)
VALUES (:run_id, 0, :no, :reasons, :details, :raw, :size, :sha, :at)"""


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("with spaces") / "it's a dump.jsonl"
    path.write_bytes(b"\n".join(RECORDS) + b"\n")
    return path


@pytest.fixture(scope="module")
def nights(server: object, dump: Path) -> Iterator[list[Run]]:
    """Two published nights, each with its one refused record; the newer has hostile ones too."""
    days: list[tuple[date, list[str | None]]] = [(NIGHT, ["Zoé Vexillaire"]), (NIGHT + timedelta(days=1), [])]
    runs = [small_night.publish(SOURCE, night, authors) for night, authors in days]
    with attempts.attempt(runs[1].run_id, "ingest") as attempt:
        attempt.handoff = ReceivedDump(layouts=[])
    values, at = [], 0
    for number, raw in enumerate(RECORDS, 1):
        verdict = {"reasons": ["readable", "no_nul"], "details": "readable: \x1b[31mred\nno_nul: =1+1", "no": number}
        payload = {"raw": raw[:RAW_HEAD_BYTES], "size": len(raw) + 1, "sha": hashlib.sha256(raw).hexdigest(), "at": at}
        values.append({"run_id": runs[1].run_id, **verdict, **payload})
        at += len(raw) + 1
    with transaction("owner") as c:
        c.execute(sa.text(INSERT), values)
        file = {"uri": str(dump), "sha": hashlib.sha256(dump.read_bytes()).hexdigest(), "source": SOURCE}
        moved = (
            "UPDATE sentiment.dump_file f SET uri = :uri, sha256 = :sha FROM sentiment.dump d "
            "WHERE d.dump_id = f.dump_id AND d.source = :source"
        )
        c.execute(sa.text(moved), file)
    yield runs
    remove_source(SOURCE)


def typed(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli.app, ["quarantine", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Return what standard error has for a person who types this and is refused."""
    monkeypatch.setattr("sys.argv", ["sentiment", "quarantine", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    return " ".join(capsys.readouterr().err.split())


def test_list_names_record_rules_and_the_first_reason(nights: list[Run]) -> None:
    lines = typed("list", "--source", SOURCE).splitlines()
    assert lines[0].split() == ["run", "night", "file", "record", "rules", "first", "reason"]
    newer, older = nights[1], nights[0]
    assert [line.split()[:4] for line in lines[1:-1]] == [
        *([newer.run_id, str(newer.night), "0", str(n)] for n in (1, 2, 3, 4, 1000)),
        [older.run_id, str(older.night), "0", "1000"],
    ]
    assert lines[1].endswith(r"readable no_nul  readable: \x1b[31mred")
    assert lines[-1] == f"Next: sentiment quarantine show {newer.run_id} 0 1"


@pytest.mark.parametrize(
    ("arguments", "records"),
    [
        (["--source", SOURCE, "--limit", "2"], 2),
        (["--source", SOURCE, "--rule", "no_nul"], 4),
        (["--source", SOURCE, "--night", NIGHT.isoformat()], 1),
        (["--night", (NIGHT + timedelta(days=1)).isoformat(), "--rule", "blank_text"], 1),
    ],
)
def test_list_by_source_rule_and_night(nights: list[Run], arguments: list[str], records: int) -> None:
    assert len(typed("list", *arguments).splitlines()) == records + 2


def test_what_was_replaced_is_listed_by_its_run_only(nights: list[Run]) -> None:
    status = "UPDATE sentiment.run SET status = :status WHERE run_id = :r"
    with transaction("owner") as c:
        c.execute(sa.text(status), {"status": "superseded", "r": nights[0].run_id})
    assert nights[0].run_id not in typed("list", "--source", SOURCE)
    assert nights[0].run_id in typed("list", "--run", nights[0].run_id)
    assert f"sentiment quarantine list --night {NIGHT}" in typed("show", nights[0].run_id, "0", "1000")
    with transaction("owner") as c:
        c.execute(sa.text(status), {"status": "published", "r": nights[0].run_id})


def test_where_no_record_matches_the_rules_are_named(nights: list[Run]) -> None:
    output = typed("list", "--source", SOURCE, "--rule", "blanc")
    assert "No such record. Rules that records have failed:" in output
    assert "blank_text" in output


def test_show_names_position_and_reason_and_harms_no_terminal(nights: list[Run], dump: Path) -> None:
    lines = dict(line.split(maxsplit=1) for line in typed("show", nights[1].run_id, "0", "2").splitlines())
    raw = RECORDS[1]
    assert lines["file"] == f"0: {dump}"
    assert lines["record"].startswith(f"2, from byte {len(RECORDS[0]) + 1} ")
    assert lines["size"] == f"{len(raw) + 1} bytes"
    assert lines["sha256"] == hashlib.sha256(raw).hexdigest()
    assert lines["bytes"] == r"caf\xe9 \x1b[2J été \u202e;-)"
    assert lines["reason"] == "2    no_nul: =1+1"
    assert lines["next"].endswith(f"then: sentiment quarantine requeue {nights[1].run_id}")
    assert "whole" not in lines


@pytest.mark.parametrize("number", [3, 4])
def test_the_command_that_is_shown_prints_the_record_as_it_lies_there(nights: list[Run], number: int) -> None:
    lines = dict(line.split(maxsplit=1) for line in typed("show", nights[1].run_id, "0", str(number)).splitlines())
    record = subprocess.run(["bash", "-c", lines["whole"]], capture_output=True, check=True).stdout
    assert record == RECORDS[number - 1] + b"\n"
    assert lines["bytes"] == "x" * RAW_HEAD_BYTES if number == 3 else lines["bytes"].startswith("removed by retention")


def test_in_utf_16_offsets_are_counted_as_in_utf_8(tmp_path: Path) -> None:
    wide = tmp_path / "wide.jsonl"
    wide.write_text('{"review": "é"}\n{"review": "à"}\n', "utf-16")
    values = {"compression": "none", "format": "jsonl", "uri": str(wide), "encoding": "utf-16", "raw": b""}
    row: Any = SimpleNamespace(**values, byte_offset=17, raw_bytes=17)
    record = subprocess.run(["bash", "-c", quarantine._read_command(row)], capture_output=True, check=True).stdout
    assert record.decode() == '{"review": "à"}\n'


def test_export_is_complete_private_and_runs_nothing(
    nights: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "q.csv"
    monkeypatch.setattr(quarantine, "ROWS_AT_ONCE", 2)
    assert typed("export", str(target), "--source", SOURCE).startswith("6 records in ")
    assert target.stat().st_mode & 0o077 == 0
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    with target.open(encoding="utf-8-sig", newline="") as file:
        exported = list(csv.DictReader(file))
    assert [int(row["record_no"]) for row in exported] == [1, 2, 3, 4, 1000, 1000]
    assert exported[0]["raw"] == r"""'=HYPERLINK("http://x";"y")\tand a tab"""
    assert exported[1]["raw"] == r"caf\xe9 \x1b[2J été \u202e;'-)"
    assert exported[1]["details"] == r"readable: \x1b[31mred | no_nul: =1+1"
    assert len(exported[2]["raw"]) == spreadsheet.CELL_CHARS + 1
    assert (exported[0]["reasons"], exported[0]["byte_offset"], exported[0]["requeued_in"]) == (
        "readable no_nul",
        "0",
        "",
    )
    assert list(tmp_path.iterdir()) == [target]


def test_export_overwrites_only_by_force(
    nights: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "q.csv"
    target.write_text("mine")
    assert "--force" in refused(capsys, monkeypatch, "export", str(target))
    assert target.read_text() == "mine"
    assert typed("export", str(target), "--source", SOURCE, "--force").startswith("6 records")
    for folder in (tmp_path, tmp_path / "no" / "q.csv"):
        assert str(folder) in refused(capsys, monkeypatch, "export", str(folder))


def test_an_export_that_fails_leaves_what_was_there(nights: list[Run], tmp_path: Path) -> None:
    target = tmp_path / "q.csv"
    target.write_text("mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quarantine, "cell", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            quarantine.export(target, Which(source=SOURCE), overwrite=True)
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(target, "mine")]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_cells_that_a_spreadsheet_would_run_get_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell(f"a;{text}" if text.strip() == text else "a") == (f"a;'{text}" if text.strip() == text else "a")
    assert cell(f"a {text}") == f"a {text}"


def test_what_is_shown_is_text_and_nothing_else() -> None:
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000)]))
    unescaped = [c for c in shown(everything) if not c.isprintable() and (ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E)]
    assert unescaped == []
    assert shown("l'été : « oui » 😀") == "l'été : « oui » 😀"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["list", "--night", "4/3/2031"], "--night is '4/3/2031'; expected a date like 2026-11-22"),
        (["list", "--run", "20310304-ffffffff"], "There is no run '20310304-ffffffff'"),
        (["show", "20310304-ffffffff", "0", "1"], "has no refused record 1 of file 0. Next: sentiment quarantine list"),
        (["requeue", "20310304-ffffffff"], "There is no run '20310304-ffffffff'"),
        (["requeue", "20310304-ffffffff", "--replace"], "--reason is None"),
        (["requeue", "20310304-ffffffff", "--reason", "x", "--replace"], "There is no run '20310304-ffffffff'"),
    ],
)
def test_mistakes_name_what_is_wrong(
    nights: list[Run],
    arguments: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert named in refused(capsys, monkeypatch, *arguments)


def test_requeue_without_replace_only_previews(nights: list[Run]) -> None:
    run_id, n_runs = nights[1].run_id, "SELECT count(*) FROM sentiment.run"
    with transaction() as c:
        before = c.exec_driver_sql(n_runs).scalar_one()
    output = typed("requeue", run_id)
    assert f"Run {run_id} refused 5 of 0 records (blank_text 1, no_nul 4, readable 4)." in output
    assert f"Next: sentiment quarantine requeue {run_id} --reason 'what was mended' --replace" in output
    with transaction() as c:
        assert c.exec_driver_sql(n_runs).scalar_one() == before
