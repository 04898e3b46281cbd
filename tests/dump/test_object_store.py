"""Dumps in a bucket, through Airflow's object storage and its connection, on moto's server."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from sentiment.dump import arrival
from sentiment.dump.locate import locate
from sentiment.dump.receive import receive
from sentiment.errors import DumpNotFoundError, InfrastructureError, ParameterError
from sentiment.settings import Settings
from sentiment.workspace import Workspace

from tests.dump.workbooks import archive, xlsx

GOOD = b'{"review": "Un film magnifique."}\n'
REGION = "eu-west-3"
KEYS = {"aws_access_key_id": "made-up-key", "aws_secret_access_key": "made-up-secret"}


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Yield the address of a server whose bucket `dumps` holds one night in two files, and a manifest."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=address, region_name=REGION, **KEYS)
    client.create_bucket(Bucket="dumps", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_object(Bucket="dumps", Key="night/a.jsonl", Body=GOOD)
    client.put_object(Bucket="dumps", Key="night/b.jsonl.gz", Body=gzip.compress(GOOD * 2))
    client.put_object(Bucket="dumps", Key="night/manifest.json", Body=b'{"night": "2026-11-22"}')
    packed = {"x/a.jsonl": GOOD, "b.xlsx": xlsx([("review",), ("Bien.",)]), "manifest.json": b'{"night": "2026-11-22"}'}
    client.put_object(Bucket="dumps", Key="packed/export.zip", Body=archive(packed))
    client.put_object(Bucket="dumps", Key="packed/c.xlsx", Body=packed["b.xlsx"])
    yield address
    server.stop()


@pytest.fixture(autouse=True)
def connection(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"endpoint_url": bucket, "region_name": REGION}
    login = {"login": KEYS["aws_access_key_id"], "password": KEYS["aws_secret_access_key"]}
    connection = json.dumps({"conn_type": "aws", **login, "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection)
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", connection)


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("s3://dumps/night/a.jsonl", ["a.jsonl"]),
        ("s3://dumps/night", ["a.jsonl", "b.jsonl.gz"]),
        ("s3://dumps/nig*/*.gz", ["b.jsonl.gz"]),
        ("s3://other@dumps/night/*", ["a.jsonl", "b.jsonl.gz"]),
    ],
)
def test_an_object_a_prefix_and_a_glob(uri: str, names: list[str]) -> None:
    assert [path.name for path in locate(uri)] == names


def test_a_night_from_a_bucket_is_the_same_dump_as_from_a_disk(tmp_path: Path) -> None:
    workspace, config = Workspace(str(tmp_path / "lake")), Settings(home=tmp_path)
    remote = receive("s3://dumps/night", config, workspace)
    rows = [row for p in workspace.committed("received", remote.key) for f in p.files
            for row in pq.read_table(workspace.local(f)).to_pylist()]  # fmt: skip
    assert [r["raw"] for r in rows] == [GOOD.rstrip()] * 3
    assert [f.n_bytes for f in remote.files] == [len(GOOD), len(gzip.compress(GOOD * 2))]
    assert remote.files[0].sha256 == hashlib.sha256(GOOD).hexdigest()
    assert remote.files[0].uri.endswith("dumps/night/a.jsonl")
    assert str(remote.manifest_night) == "2026-11-22"
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    assert receive(str(tmp_path / "a.jsonl"), config, workspace).files[0].sha256 == remote.files[0].sha256


def test_an_archive_and_a_workbook_from_a_bucket(tmp_path: Path) -> None:
    workspace, config = Workspace(str(tmp_path / "lake")), Settings(home=tmp_path)
    dump = receive("s3://dumps/packed", config, workspace)
    assert [file.uri.partition("dumps/packed/")[2] for file in dump.files] == [
        "c.xlsx", "export.zip!b.xlsx", "export.zip!x/a.jsonl"
    ]  # fmt: skip
    assert (str(dump.manifest_night), dump.n_records) == ("2026-11-22", 3)
    assert dump.files[2].sha256 == hashlib.sha256(GOOD).hexdigest()
    again = receive(dump.files[2].uri, config, workspace)
    assert [file.uri for file in again.files] == [dump.files[2].uri]
    assert [state.uri.rpartition("/")[2] for state in arrival.look(dump.files[2].uri)] == ["export.zip"]


@pytest.mark.parametrize("uri", ["s3://dumps/none", "s3://nobucket/x", "s3://dumps/none/*.csv"])
def test_nothing_there(uri: str) -> None:
    with pytest.raises(DumpNotFoundError) as refused:
        locate(uri)
    assert uri in refused.value.message


def test_a_store_that_does_not_answer_is_infrastructure(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {
        "endpoint_url": "http://127.0.0.1:1",
        "region_name": REGION,
        "config_kwargs": {"retries": {"max_attempts": 0}},
    }
    dead = {"conn_type": "aws", "login": "made-up-key", "password": "made-up-secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_DEAD", json.dumps(dead))
    with pytest.raises(InfrastructureError, match="s3://dead@dumps/night"):
        locate("s3://dead@dumps/night")


def test_an_unknown_kind_of_address() -> None:
    with pytest.raises(ParameterError, match="gopher://dumps/night"):
        locate("gopher://dumps/night")


def test_a_second_look_sees_what_came_since(bucket: str) -> None:
    client = boto3.client("s3", endpoint_url=bucket, region_name=REGION, **KEYS)
    client.put_object(Bucket="dumps", Key="growing/a.jsonl", Body=GOOD)
    looks = [arrival.look("s3://dumps/growing")]
    client.put_object(Bucket="dumps", Key="growing/a.jsonl", Body=GOOD * 2)
    looks.append(arrival.look("s3://dumps/growing"))
    client.put_object(Bucket="dumps", Key="growing/b.jsonl", Body=GOOD)
    looks.append(arrival.look("s3://dumps/growing"))
    assert [[state.n_bytes for state in look] for look in looks] == [[34], [68], [68, 34]]
    assert all(state.modified_s > 1_700_000_000 for look in looks for state in look)
    with pytest.raises(InfrastructureError, match="growing/b"):
        arrival.check_unchanged("s3://dumps/growing", looks[1])
