"""Files in an object store, read from a real server that speaks S3's language, and files behind other addresses."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs

from segue.data.settings import StorageSettings
from segue.data.sources.remote import remote_files
from segue.domain.errors import DeclarationError, ReadError
from segue.project import Project
from segue.starter import initialise

KEYS = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "not-for-anybody", "AWS_EC2_METADATA_DISABLED": "true"}
DAYS = {
    "days/1.csv.gz": gzip.compress(b"user,item\na,x\n,y\n"),
    "days/b/2.jsonl": b'{"user":"b","item":"y"}\n',
    "days/_SUCCESS": b"",
    "days/.tmp.csv": b"?",
    "other.csv": b"user,item\nc,z\n",
}
TOML = '[events]\nfiles = ["{files}"]\n[events.columns]\nuser = "user"\nitem = "item"\n'

pytestmark = pytest.mark.service


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store with a bucket `logs`."""
    port = free_port()
    log = tmp_path_factory.mktemp("store") / "log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=out, stderr=out)
    os.environ |= KEYS
    try:
        deadline = time.monotonic() + 60
        while not _answers(port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        store = fs.S3FileSystem(endpoint_override=f"127.0.0.1:{port}", scheme="http", allow_bucket_creation=True)
        store.create_dir("logs")
        for name, content in DAYS.items():
            with store.open_output_stream(f"logs/{name}", compression=None) as file:
                file.write(content)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)
        for name in KEYS:
            os.environ.pop(name, None)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def names(address: str, endpoint: str) -> list[str]:
    return [each.name for each in remote_files(address, StorageSettings(endpoint=endpoint))]


def test_globs_folders_and_single_files_are_met_by_name(endpoint: str) -> None:
    assert names("s3://logs/days/*.csv.gz", endpoint) == ["s3://logs/days/1.csv.gz"]
    assert names("s3://logs/days", endpoint) == ["s3://logs/days/1.csv.gz", "s3://logs/days/b/2.jsonl"]
    assert names("s3://logs/**/*.[cj]s*", endpoint)[-1] == "s3://logs/other.csv"
    assert names(f"s3://logs/other.csv?endpoint={endpoint}&region=eu-west-1", "http://127.0.0.1:1") == [
        "s3://logs/other.csv"
    ]


def test_a_store_is_ingested_once_and_its_rows_have_their_place(tmp_path: Path, endpoint: str) -> None:
    said = TOML.format(files="s3://logs/days") + f'[storage]\nendpoint = "{endpoint}"\nregion = "us-east-1"\n'
    (tmp_path / "segue.toml").write_text(said)
    opened = Project.open(tmp_path)
    assert opened.ingest().sentence() == "kept 2 rows of 2 files, quarantined 1"
    assert opened.ingest().sentence().endswith("2 files were in already")
    (row,) = opened.quarantine.collect().to_dicts()
    assert (row["file"], row["line"]) == ("s3://logs/days/1.csv.gz", 3)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEYS["AWS_SECRET_ACCESS_KEY"].encode() not in written
    (tmp_path / "same.csv").write_bytes(gzip.decompress(DAYS["days/1.csv.gz"]))
    assert opened.ingest([tmp_path / "same.csv"]).sentence().endswith("1 file was in already")


def test_init_writes_the_address(tmp_path: Path, endpoint: str) -> None:
    address = f"s3://logs/other.csv?endpoint={endpoint}"
    initialise(tmp_path / "shop", [address], columns=["user=user", "item=item"])
    opened = Project.open(tmp_path / "shop")
    assert opened.declaration.events.files == (address,)
    assert opened.ingest().sentence().startswith("kept 1 rows")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://nothing/days", "no bucket 'nothing'"),
        ("s3://logs/nothing.csv", "no such file"),
        ("s3://logs/days/*.parquet", "no such file"),
    ],
)
def test_what_is_not_there_is_said(endpoint: str, address: str, words: str) -> None:
    with pytest.raises(ReadError, match=words) as error:
        names(address, endpoint)
    assert error.value.where == address


def test_a_store_that_cannot_be_reached_is_said() -> None:
    with pytest.raises(ReadError, match="cannot be reached"):
        names("s3://logs/days", f"http://127.0.0.1:{free_port()}")


def test_a_file_that_changes_before_it_is_fetched_is_refused(endpoint: str) -> None:
    (found,) = remote_files("s3://logs/other.csv", StorageSettings(endpoint=endpoint))
    store = fs.S3FileSystem(endpoint_override=endpoint.removeprefix("http://"), scheme="http")
    with store.open_output_stream("logs/other.csv") as file:
        file.write(DAYS["other.csv"] + b"d,z\n")
    with pytest.raises(ReadError, match="changed while it was read"):
        next(found.parts())
    with store.open_output_stream("logs/other.csv") as file:
        file.write(DAYS["other.csv"])


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://key:secret@logs/days", "a key stands in the address"),
        ("ftp://logs/days", "not read from 'ftp:'"),
        ("s3://logs/days?secret_key=secret", "no option 'secret_key'"),
    ],
)
def test_what_an_address_may_not_say_is_refused(address: str, words: str) -> None:
    with pytest.raises(DeclarationError, match=words) as error:
        remote_files(address, StorageSettings())
    assert "secret@" not in str(error.value)
    assert "=secret" not in str(error.value)


def test_local_files_have_addresses_too(tmp_path: Path) -> None:
    (tmp_path / "a b.csv").write_bytes(DAYS["other.csv"])
    (found,) = remote_files(f"file://{tmp_path}/a%20b.csv", StorageSettings())
    assert [part.head(4) for part in found.parts()] == [b"user"]
