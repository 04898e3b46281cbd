"""A forgotten review and its author's name are nowhere, nobody else loses anything, and no dump brings them back."""

from __future__ import annotations

import hashlib
import json
import sys
import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sentiment import cli, contract, settings
from sentiment.dump.decoding import to_rows
from sentiment.dump.identity import Identity
from sentiment.dump.profiles import OWN_ID
from sentiment.dump.receive import receive
from sentiment.errors import DumpRefusedError, InfrastructureError
from sentiment.jobs import judging, validate
from sentiment.orchestration import forgetting
from sentiment.orchestration.maintenance import RUN_DATASETS
from sentiment.quality import rules, split
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import JudgedNight
from sentiment.runs.model import IdentityRule, Run
from sentiment.scoring import registry, sentences
from sentiment.settings import Settings
from sentiment.store import forgetting as store
from sentiment.workspace import Part, Workspace, run_key

from tests.kit.nights import NightSpec, publish_without_spark, run_all_steps
from tests.kit.rows import remove_source, rows, rows_of_source, run_sql

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NIGHT = date(2026, 6, 8)
HOLDS_REVIEWS = ("review", "review_version", "review_sentiment", "night_review", "film_night", "quarantine")
AUTHOR = "Zoé Ångström"
TEXT = "Un « grand » film, \"immense\" même :\nl'été à Sète / la mer, des visages 😀 qu'on n'oublie pas."
QUOTED = f"Comme le dit {AUTHOR}, un chef-d'œuvre."


def record(own_id: str, author: str, text: str, title: str = "Bravo") -> dict[str, Any]:
    film = {"film_id": "f1", "type": "film", "film": "Le Lac", "title": title, "polarity": 1}
    return {"id": own_id, "author": author, "date": "2026-06-01", "review": text, "rating": 4.0, **film}


REFUSED_TITLE = "Bravo " * 200


RECORDS = [
    record("mine", AUTHOR, TEXT),
    record("also", AUTHOR, "Un autre avis de la même plume."),
    record("other", "Paul", QUOTED),
    record("bad", AUTHOR, "Ceci est refusé.", title=REFUSED_TITLE),
    record("worse", "Paul", QUOTED, title=REFUSED_TITLE),
]


def hash_of(text: str) -> str:
    return hashlib.sha256(unicodedata.normalize("NFC", text).encode()).hexdigest()


class Scene:
    """Two published nights of a source of its own, the second with another text, and all parts of their runs."""

    def __init__(self, folder: Path) -> None:
        self.source, self.workspace, self.folder = f"forgetting_{uuid4().hex[:8]}", Workspace(), folder
        for n, text in enumerate((TEXT, f"{TEXT} Revu depuis.")):
            changed = [{**RECORDS[0], "review": text}, *RECORDS[1:]]
            self.publish(NIGHT + timedelta(days=n), [json.dumps(r, ensure_ascii=n == 0) for r in changed])
        self.put("score_cache", "fingerprint=f", {"text_hash": [hash_of(TEXT), "x"]})
        self.put("score_cache", "fingerprint=f", {"text_hash": ["y"]}, chunk=1)

    def id_of(self, own_id: str) -> str:
        return hashlib.sha256("\x1f".join(("id", self.source, own_id)).encode()).hexdigest()[:32]

    def publish(self, night: date, lines: list[str]) -> None:
        dump = self.folder / f"{night}.jsonl"
        dump.write_text("\n".join(lines), "utf-8")
        publish_without_spark(NightSpec(self.source, night, dump))
        receive(str(dump), settings.load(), self.workspace)
        run_id = rows("SELECT run_id FROM sentiment.run WHERE source = :s AND night = :n", s=self.source, n=night)[0][0]
        ids = [self.id_of(json.loads(line)["id"]) for line in lines]
        for dataset in RUN_DATASETS:
            columns: dict[str, list[Any]] = (
                {"n": [1]} if dataset == "profile" else {"review_id": ids, "raw": [x.encode() for x in lines]}
            )
            self.put(dataset, run_key(night, run_id), columns)

    def put(self, dataset: str, key: str, columns: dict[str, list[Any]], chunk: int = 0) -> str:
        file = f"{self.workspace.folder(dataset, key, 1, chunk)}/part-0.parquet"
        Path(self.workspace.local(file)).parent.mkdir(parents=True)
        pq.write_table(pa.table(columns), self.workspace.local(file), use_deprecated_int96_timestamps=True)
        self.workspace.commit(dataset, key, 1, Part([file], 1, ""), chunk)
        return file

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        return {table: rows_of_source(table, self.source) for table in HOLDS_REVIEWS}


@pytest.fixture
def scene(server: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("SENTIMENT_LAKE", str(tmp_path / "lake"))
    settings.load.cache_clear()
    registry.register(registry.find("cinema-fr", settings.load()))
    scene = Scene(tmp_path)
    run_sql("UPDATE sentiment.run_step SET heartbeat_at = now() - interval '1 hour'")  # other tests' too
    yield scene
    remove_source(scene.source)
    monkeypatch.undo()
    settings.load.cache_clear()


def assert_forgotten(scene: Scene, mine: str, before: dict[str, list[tuple[Any, ...]]]) -> None:
    """Nothing of it is in any row or file; of the others, everything is but the name."""
    after = scene.tables()
    values = repr({name: after[name] for name in after if name != "quarantine"})
    assert mine not in values
    assert TEXT[:40] not in values
    assert after["film_night"] == before["film_night"]
    assert [len(before[t]) - len(after[t]) for t in ("review", "review_sentiment", "night_review")] == [1, 1, 2]
    authors = rows("SELECT text, author FROM sentiment.review WHERE source = :s ORDER BY 1", s=scene.source)
    assert authors == [(QUOTED, "Paul"), ("Un autre avis de la même plume.", None)]
    payloads = rows(
        "SELECT record_no, raw FROM sentiment.quarantine JOIN sentiment.run USING (run_id) WHERE source = :s "
        "ORDER BY night, record_no",
        s=scene.source,
    )
    assert [(n, json.loads(bytes(raw))["id"] if raw else None) for n, raw in payloads] == [(4, None), (5, "worse")] * 2
    assert [f.split("/")[3] for f in scene.workspace.files()] == ["chunk=1"]
    assert list(scene.workspace.parts()) == ["score_cache/fingerprint=f/token=1/chunk=1"]


def test_a_dry_run_counts_and_removes_nothing(scene: Scene) -> None:
    before, files, suppressed = scene.tables(), scene.workspace.files(), store.suppressed_keys()
    preview = forgetting.forget(scene.id_of("mine"), dry_run=True).removed
    assert preview["rows of sentiment.night_review"] == 2
    assert preview["rows of sentiment.review_version"] == 1
    assert preview["names in sentiment.review"] == 1
    assert preview["payloads in sentiment.quarantine"] == 2
    workspace = [what.split("/")[0].split()[-1] for what in preview if what.startswith("files")]
    assert workspace == ["received", "received", "score_cache", *(d for d in RUN_DATASETS[::-1] for _ in range(2))]
    assert (scene.tables(), scene.workspace.files(), store.suppressed_keys()) == (before, files, suppressed)


def test_nothing_remains_and_nobody_else_loses_anything(scene: Scene) -> None:
    mine, before = scene.id_of("mine"), scene.tables()
    preview = forgetting.forget(mine, dry_run=True).removed
    outcome = forgetting.forget(mine, dry_run=False)
    assert outcome.removed == preview
    assert (outcome.n_tables > 15, outcome.n_files) == (True, 1)
    assert_forgotten(scene, mine, before)
    again = forgetting.forget(mine, dry_run=False)
    assert not any(again.removed.values())


def test_values_that_could_not_be_read_and_duplicates_go_too(scene: Scene) -> None:
    mine = scene.id_of("mine")
    run_id = rows("SELECT min(run_id) FROM sentiment.run WHERE source = :s", s=scene.source)[0][0]
    unread = "INSERT INTO sentiment.unread_value VALUES (:r, 0, :n, 'polarity', :value, 'polarity_known')"
    for number, value in enumerate((AUTHOR, "neutre"), 50):
        run_sql(unread, r=run_id, n=number, value=value)
    run_sql(unread, r=run_id, n=1, value="of the review's own record")
    run_sql("INSERT INTO sentiment.duplicate VALUES (:r, 0, 60, :id, 0, 1)", r=run_id, id=mine)
    removed = forgetting.forget(mine, dry_run=False).removed
    assert (removed["values in sentiment.unread_value"], removed["rows of sentiment.duplicate"]) == (1, 1)
    assert removed["rows of sentiment.unread_value"] == 1
    values = rows("SELECT value FROM sentiment.unread_value WHERE run_id = :r", r=run_id)
    assert sorted(row[0] for row in values) == ["", "neutre"]


def test_the_part_of_a_killed_evaluation_goes_too(scene: Scene) -> None:
    folder = "evaluated/evaluation=a/scores"
    part = Path(scene.workspace.local(f"{folder}/token=0/chunk=0"))
    part.mkdir(parents=True)
    pq.write_table(pa.table({"text_hash": [contract.nfc_sha256(TEXT)]}), part / "part.parquet")
    assert forgetting.forget(scene.id_of("mine"), dry_run=False).removed[f"{forgetting.FILES}{folder}"] == 1
    assert not scene.workspace.exists(folder)


@pytest.mark.parametrize("at", range(1, 18, 4))
def test_a_killed_command_is_repeated(scene: Scene, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, before, steps = scene.id_of("mine"), scene.tables(), iter(range(at))
    sound = forgetting._remove

    def dies(workspace: Workspace, folder: str) -> None:
        next(steps)
        sound(workspace, folder)

    with monkeypatch.context() as m:
        m.setattr(forgetting, "_remove", dies)
        m.setattr(store, "_search", lambda *_: next(iter(())))
        with pytest.raises(StopIteration):
            forgetting.forget(mine, dry_run=False)
    assert scene.tables() == before
    forgetting.forget(mine, dry_run=False)
    assert_forgotten(scene, mine, before)


def test_long_sentences_leave_the_score_cache_too(scene: Scene) -> None:
    """They are scored as texts of their own; a short one may be anybody's."""
    long = f"{TEXT} Revu depuis."
    parts = [long[slice(*span)] for span in sentences.spans(long)]
    assert [len(sentence) >= store.LONG_CHARS for sentence in parts] == [False, True, False]
    files = [
        scene.put("score_cache", "fingerprint=g", {"text_hash": [hash_of(sentence)]}, chunk=n)
        for n, sentence in enumerate(parts)
    ]
    forgetting.forget(scene.id_of("mine"), dry_run=False)
    assert [scene.workspace.exists(file) for file in files] == [True, False, True]


def test_the_search_finds_a_part_that_remains(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scene.tables()
    monkeypatch.setattr(Workspace, "remove", lambda *_: None)
    with pytest.raises(InfrastructureError, match=r"received/dump="):
        forgetting.forget(scene.id_of("mine"), dry_run=False)
    assert scene.tables() == before


@pytest.mark.parametrize("template", ["{id}", "voilà : {text}"])
def test_the_search_finds_a_row_that_remains(scene: Scene, template: str) -> None:
    mine, before = scene.id_of("mine"), scene.tables()
    detail = json.dumps({"text": template.format(id=mine, text=TEXT)})
    run_sql("UPDATE sentiment.run_step SET detail = cast(:detail AS jsonb) WHERE run_id IN "
            "(SELECT run_id FROM sentiment.run WHERE source = :s)", detail=detail, s=scene.source)  # fmt: skip
    with pytest.raises(InfrastructureError, match=r"8 rows of sentiment\.run_step") as caught:
        forgetting.forget(mine, dry_run=False)
    assert caught.value.try_next == f"sentiment review forget {mine} --remove"
    assert scene.tables() == before


def test_errors_and_verdicts_that_name_it_are_emptied(scene: Scene) -> None:
    error = f"Batch entry 0 for staging.review ('{AUTHOR}', ...) was aborted"
    steps = "UPDATE sentiment.run_step s SET error = :e FROM sentiment.run r WHERE r.run_id = s.run_id AND source = :s"
    run_sql(steps, e=error, s=scene.source)
    run_sql("UPDATE sentiment.run SET verdict = :e WHERE source = :s", e=error, s=scene.source)
    insert = (
        "INSERT INTO sentiment.unopened_run (dag_id, airflow_run_id, source, error_kind, error) "
        "VALUES ('d', 'own', :s, 'k', :e), ('d', 'unknown', NULL, 'k', :e), ('d', 'other', 'another', 'k', 'fine')"
    )
    run_sql(insert, e=error, s=scene.source)
    removed = forgetting.forget(scene.id_of("mine"), dry_run=False).removed
    assert (removed["errors in sentiment.run_step"], removed["verdicts in sentiment.run"]) == (8, 2)
    assert removed["errors in sentiment.unopened_run"] == 2
    run_sql("DELETE FROM sentiment.unopened_run")


def test_a_text_that_another_review_has_too_keeps_its_score(scene: Scene) -> None:
    scene.publish(NIGHT + timedelta(days=2), [json.dumps(record("twin", "Paul", TEXT))])
    run_sql("UPDATE sentiment.run_step SET heartbeat_at = now() - interval '1 hour'")
    forgetting.forget(scene.id_of("mine"), dry_run=False)
    assert sorted(f.split("/")[3] for f in scene.workspace.files()) == ["chunk=0", "chunk=1"]
    assert rows("SELECT author FROM sentiment.review WHERE review_id = :id", id=scene.id_of("twin")) == [("Paul",)]


def test_not_while_a_night_works(scene: Scene) -> None:
    mine, before, suppressed = scene.id_of("mine"), scene.tables(), store.suppressed_keys()
    dump_id = rows("SELECT dump_id FROM sentiment.run WHERE source = :s LIMIT 1", s=scene.source)[0][0]
    run = opening.open_run(NIGHT + timedelta(days=9), scene.source, dump_id, "cinema-fr")
    with attempts.attempt(run.run_id, "ingest"):
        with pytest.raises(InfrastructureError, match=run.run_id):
            forgetting.forget(mine, dry_run=False)
    with pytest.raises(InfrastructureError, match=run.run_id):  # between two steps
        forgetting.forget(mine, dry_run=False)
    run_sql("UPDATE sentiment.run_step SET heartbeat_at = now() - interval '1 hour'")
    coming = Path(scene.workspace.local("received/attempt=1/file-00000.parquet"))
    coming.parent.mkdir()
    coming.write_bytes(b"PAR1")
    with pytest.raises(InfrastructureError, match=r"received/attempt=1"):
        forgetting.forget(mine, dry_run=False)
    assert (scene.tables(), store.suppressed_keys()) == (before, suppressed)


def test_an_unreadable_file_of_a_killed_attempt_goes_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    torn = Path(scene.workspace.local("scored/night=2026-06-01/run=r/token=1/chunk=0/_temporary/part-0.parquet"))
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"PAR1")
    forgetting.forget(scene.id_of("mine"), dry_run=False)
    assert not torn.exists()


def test_the_command(scene: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def typed(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["sentiment", "review", "forget", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out + captured.err

    mine = scene.id_of("mine")
    code, output = typed(mine)
    assert (code, output.splitlines()[-1]) == (0, f"Next: sentiment review forget {mine} --remove")
    code, output = typed(mine, "--remove")
    assert (code, "rows of sentiment.night_review" in output) == (0, True)
    code, output = typed(mine)
    assert (code, "Next:" in output) == (0, False)
    code, output = typed("nobody")
    assert (code, "'nobody'" in output, "Next:" in output) == (2, True, True)


def test_every_column_of_bytes_or_names_is_searched(server: object) -> None:
    query = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema IN ('sentiment', 'drift') "
        "AND (data_type = 'bytea' OR column_name = 'author') ORDER BY 1"
    )
    expected = [("quarantine", "raw"), ("review", "author"), ("review_version", "author")]
    assert rows(query) == expected, "store/forgetting.py must go through the new column too"


def test_no_dump_brings_it_back(spark: SparkSession, tmp_path: Path) -> None:
    lines = [json.dumps(r) for r in RECORDS]
    path, workspace = tmp_path / "a.jsonl", Workspace(str(tmp_path / "lake"))
    path.write_text("\n".join(lines), "utf-8")
    dump, config = receive(str(path), Settings(home=tmp_path), workspace), Settings(home=tmp_path)
    received = workspace.read(spark, workspace.committed("received", dump.key))
    ids = [hashlib.sha256(f"id\x1fs\x1f{r['id']}".encode()).hexdigest()[:32] for r in RECORDS]
    suppressed = {
        contract.suppressed_key("review", "s", ids[0]),
        contract.suppressed_key("author", "s", AUTHOR),
    }
    identity = Identity(IdentityRule(OWN_ID), suppressed_keys=suppressed)
    decoded = to_rows(received, "s", dump.layouts, dump.profile, identity).persist()
    table = rules.table(config, NIGHT)
    # Persisted, as a night writes them: both readers below would have the plan of all rules twice.
    judged = rules.judged(judging.with_facts(decoded, config), table).persist()
    verdicts = split.verdicts(judged, table)
    accepted = {r["record_no"]: r for r in split.accepted(verdicts, split.repeated(verdicts)).collect()}
    refused = {r["record_no"]: r for r in split.quarantined(verdicts).collect()}
    assert (sorted(accepted), sorted(refused)) == ([2, 3], [1, 4, 5])
    assert [accepted[n]["review_id"] for n in (2, 3)] == ids[1:3]
    assert (accepted[2]["author"], accepted[3]["author"]) == (None, "Paul")
    assert [(r["reasons"], bytes(r["raw"])) for _, r in sorted(refused.items())] == [
        (["forgotten"], b""),
        (["fields_not_too_long"], b""),
        (["fields_not_too_long"], lines[4].encode()),
    ]
    assert refused[1]["raw_sha256"] == hashlib.sha256(lines[0].encode()).hexdigest()
    decoded_text = repr(
        [row.asDict() for row in decoded.drop("raw_sha256").where("record_no <> 3 AND record_no <> 5").collect()]
    )
    assert not any(part in decoded_text for part in (ids[0], AUTHOR, TEXT[:20], "Ceci est refus\\"))
    judged.unpersist()
    decoded.unpersist()


def test_no_night_brings_it_back(server: object, spark: SparkSession, tmp_path: Path) -> None:
    """By the jobs themselves: decoded, refused without its bytes, its score gone, all else published as before."""
    registry.register(registry.find("cinema-fr", settings.load()))
    dump = tmp_path / "dump.jsonl"
    others = [record(f"o{n}", "Paul", f"Vu {n} fois.") for n in range(10)]
    dump.write_text("\n".join(json.dumps(r) for r in [*RECORDS, *others]), "utf-8")
    first = NightSpec("whole_forgetting", NIGHT, dump)
    run_all_steps(spark, first)
    run_sql("UPDATE sentiment.run_step SET heartbeat_at = now() - interval '1 hour'")
    shown = "SELECT review_id FROM sentiment.v_review_sentiment WHERE source = :s AND text = :t"
    ((mine,),) = rows(shown, s=first.source, t=TEXT)
    kinds = set(forgetting.forget(mine, dry_run=True).removed)
    assert {kind.split("/")[0] for kind in kinds} >= {
        f"{forgetting.FILES}{d}" for d in ("received", "accepted", "quarantined", "scored", "score_cache")
    }
    forgetting.forget(mine, dry_run=False)
    again = tmp_path / "again.jsonl"
    again.write_text(f"{dump.read_text('utf-8')}\n{json.dumps(record('later', 'Paul', 'Vu encore.'))}", "utf-8")
    run_all_steps(spark, NightSpec(first.source, NIGHT + timedelta(days=1), again))
    authors = rows("SELECT author FROM sentiment.review WHERE source = :s AND text NOT LIKE 'Vu%'", s=first.source)
    assert sorted(map(str, authors)) == ["('Paul',)", "(None,)"]
    refused = rows(
        "SELECT reasons[1], length(raw) > 0 FROM sentiment.quarantine JOIN sentiment.run USING (run_id) "
        "WHERE source = :s AND night > :n ORDER BY record_no",
        s=first.source,
        n=NIGHT,
    )
    assert refused == [("forgotten", False), ("fields_not_too_long", False), ("fields_not_too_long", True)]


def test_forgotten_records_are_no_fault_of_the_batch(config: Settings) -> None:
    counts = {"accepted": 1, "quarantined": 9, "duplicate": 0}
    run = Run("r", NIGHT, "forgetting", "d", "cinema-fr", "running", None, None, None, {})
    night = JudgedNight(reasons={contract.FORGOTTEN: 9}, expectations_met=True)
    assert validate.check_batch(run, counts, night, list, [], config, [], {}) == []
    night.reasons = {contract.FORGOTTEN: 8, "readable": 1}
    with pytest.raises(DumpRefusedError, match="1 of 2"):
        validate.check_batch(run, counts, night, list, [], config, [], {})
