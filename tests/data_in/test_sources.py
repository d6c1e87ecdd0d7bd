"""Folders, databases and frames as sources: the same rows once, with their place, without a secret."""

from __future__ import annotations

import gzip
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from segue.data.guess.guess import guess_events
from segue.data.settings import EventSource, StorageSettings
from segue.data.sources import query, remote
from segue.data.sources.frames import Frame
from segue.data.sources.places import locations
from segue.data.sources.query import Query
from segue.domain.errors import DataError, DeclarationError, ReadError
from segue.project import Project
from segue.starter import initialise

HEAD = '[events]\n{files}\n[events.columns]\nuser = "user"\nitem = "item"\ntime = "time"\n'
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
FRAME = pl.DataFrame({"user": ["a", "b", None], "item": [1, 2, 3], "time": [MOMENT] * 3})


def project(folder: Path, files: str = "") -> Project:
    (folder / "segue.toml").write_text(HEAD.format(files=files))
    return Project.open(folder)


def kept(opened: Project) -> list[tuple[object, ...]]:
    return opened.events.collect().select("user", "item", "time").sort("item").rows()


EXPECTED = [("a", "1", MOMENT), ("b", "2", MOMENT)]


def test_a_folder_means_all_data_files_in_it_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "days"
    for name in ("b/2.csv.gz", "a.csv", "b/1.jsonl", ".hidden.csv", "_SUCCESS", "b/_log/0.json", "README.md", "part-0"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(b"user,item\n") if name.endswith(".gz") else b"user,item\n")
    found = [str(place) for place in locations(["days", "days/a.csv"], tmp_path, StorageSettings(), "")]
    assert found == [str(folder / name) for name in ("a.csv", "b/1.jsonl", "b/2.csv.gz", "part-0")]
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no data files"):
        locations(["none"], tmp_path, StorageSettings(), "")


def test_a_column_may_change_its_type_from_file_to_file(tmp_path: Path) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    FRAME.head(1).write_parquet(folder / "1.parquet")
    FRAME.slice(1, 1).with_columns(pl.col("item").cast(pl.String)).write_parquet(folder / "2.parquet")
    opened = project(tmp_path, 'files = ["days"]')
    assert opened.ingest().sentence().startswith("kept 2 rows of 2 files")
    assert kept(opened) == EXPECTED


def test_init_writes_the_folder_so_that_new_days_come_in(tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    text = "user,item,time\n" + "".join(f"u{n % 9},i{n % 7},2026-01-02T03:04:{n % 60:02d}Z\n" for n in range(99))
    (tmp_path / "days" / "1.csv").write_text(text)
    initialise(tmp_path / "shop", [str(tmp_path / "days")])
    opened = Project.open(tmp_path / "shop")
    assert opened.declaration.events.files == ("../days",)
    (tmp_path / "days" / "2.csv").write_text("user,item,time\nnew,x,2026-01-03T00:00:00Z\n")
    assert opened.ingest().sentence().startswith("kept 100 rows of 2 files")


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        pytest.param(FRAME.lazy(), marks=pytest.mark.slow),
        pytest.param(FRAME.to_arrow(), marks=pytest.mark.slow),
        pa.RecordBatchReader.from_stream(FRAME),
        FRAME.with_columns(pl.col("user").cast(pl.Categorical), pl.col("item").cast(pl.Int16)),
    ],
    ids=["polars", "lazy", "arrow", "reader", "categories"],
)
def test_a_frame_is_taken_once_whatever_its_kind(tmp_path: Path, frame: object) -> None:
    opened = project(tmp_path)
    taken = opened.ingest(events=frame)
    assert taken.sentence() == "kept 2 rows of 1 file, quarantined 1"
    assert kept(opened) == EXPECTED
    again = opened.ingest(events=pl.concat([FRAME.head(1), FRAME.tail(2)], rechunk=False))
    assert again.sentence().endswith("1 file was in already")
    (row,) = opened.quarantine.collect().to_dicts()
    assert (row["line"], row["reason"]) == (3, "no user")
    assert row["file"].startswith("events: a ")
    assert row["raw"].startswith('{"user":null,"item":3')


def test_a_duckdb_relation_is_a_frame_and_other_things_are_none(tmp_path: Path) -> None:
    opened = project(tmp_path)
    query = "SELECT 'a' AS user, 1 AS item, TIMESTAMPTZ '2026-01-02 00:00:00Z' AS time"
    with duckdb.connect() as connection:  # its own: another test may not have read all of an answer of the shared one
        assert opened.ingest(events=connection.sql(query))
    assert opened.events.collect().height == 1
    opened.ingest(
        items=pl.DataFrame({"id": ["1"], "price": [2.5], "tags": [{"a": [1]}]}), users=pl.DataFrame({"id": [7]})
    )
    assert opened.items.collect()["attributes"].to_list() == ['{"price":2.5,"tags":{"a":[1]}}']
    assert opened.users.collect()["id"].to_list() == ["7"]
    with pytest.raises(DataError, match="found a list"):
        opened.ingest(events=[1])
    with pytest.raises(ReadError, match="'item' comes twice"):
        list(Frame(pa.table([[1], [2]], names=["item", "item"]), "events").parts())


def test_rows_that_differ_are_another_batch() -> None:
    def content(frame: pl.DataFrame) -> str | None:
        return next(Frame(frame, "events").parts()).content

    assert content(FRAME) == content(pl.concat([FRAME.head(2), FRAME.tail(1)], rechunk=False))
    others = [FRAME.reverse(), FRAME.head(2), FRAME.rename({"user": "x"}), FRAME.cast({"item": pl.String})]
    assert len({content(frame) for frame in [FRAME, *others]}) == 5


def sqlite(path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE events (user, item, time, odd)")
    rows = [
        ("a", 1, "2026-01-02T03:04:05.678901Z", 1.5),
        ("b", 2, "2026-01-02T03:04:05.678901Z", b"\xff"),
        (None, 3, "", "x"),
    ]
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path


def test_a_query_of_sqlite_is_a_source(tmp_path: Path) -> None:
    sqlite(tmp_path / "shop.db")
    opened = project(tmp_path, 'database = "sqlite:///shop.db"\nquery = "SELECT user, item, time FROM events"')
    assert opened.ingest().sentence() == "kept 2 rows of 1 file, quarantined 1"
    assert kept(opened) == EXPECTED
    assert opened.ingest().sentence().endswith("1 file was in already")
    (row,) = opened.quarantine.collect().to_dicts()
    assert (row["file"], row["line"], row["raw"]) == ("sqlite:///shop.db", 3, '{"user":null,"item":3,"time":""}')


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT odd FROM events", r"row 2, column 'odd': the cell holds bytes"),
        ("SELECT user, item, item FROM events", "'item' comes twice"),
        ("SELECT missing FROM events", "no such column: missing"),
        ("DELETE FROM events", "readonly"),
        ("SELECT user AS usr, item, time FROM events", r"(?s)no column 'user'.*did you mean 'usr'"),
    ],
)
def test_a_query_that_gives_no_rows_is_refused_with_its_place(tmp_path: Path, query: str, words: str) -> None:
    sqlite(tmp_path / "shop.db")
    with pytest.raises(DataError, match=words) as error:
        project(tmp_path, f'database = "sqlite:///shop.db"\nquery = "{query}"').ingest()
    assert error.value.where.startswith("sqlite:///shop.db")


def test_a_query_of_duckdb_is_a_source(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        frame = FRAME.to_arrow()
        connection.execute("CREATE TABLE events AS SELECT * FROM frame")
        assert frame.num_rows == 3
    initialised = project(
        tmp_path, f'database = "duckdb:///{tmp_path}/shop.duckdb"\nquery = "SELECT * FROM events ORDER BY item"'
    )
    assert initialised.ingest().sentence() == "kept 2 rows of 1 file, quarantined 1"
    assert kept(initialised) == EXPECTED
    assert initialised.ingest(events=FRAME).sentence().endswith("1 file was in already")
    with pytest.raises(ReadError, match="Table with name nothing"):
        list(Query("duckdb:///shop.duckdb", "SELECT * FROM nothing", tmp_path).parts())


def test_init_looks_at_what_a_query_gives(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute("CREATE TABLE log (user TEXT, item TEXT, time TEXT)")
    rows = [(f"u{n % 9}", f"i{n % 7}", f"2026-01-02T03:04:{n % 60:02d}Z") for n in range(99)]
    connection.executemany("INSERT INTO log VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()
    initialise(tmp_path / "shop", [f"sqlite:///{tmp_path}/shop.db"], query='SELECT * FROM log WHERE user <> "x"')
    opened = Project.open(tmp_path / "shop")
    said = opened.declaration.events
    assert (said.files, said.columns.user, said.time_format) == ((), "user", "iso")
    assert opened.ingest().sentence().startswith("kept 99 rows")


@pytest.mark.parametrize(
    "address",
    ["s3://AKIA:se/cret@bucket/x.csv", "s3://AKIA:a?secret=c@bucket/x", "hdfs://u:secret@h/x", "ftp://u:secret@h/x"],
)
def test_a_key_in_an_address_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(DeclarationError, match="a key stands in the address") as error:
        remote._parted(address)
    assert "secret" not in str(error.value)
    assert "se/cret" not in str(error.value)


def test_an_at_sign_in_a_name_is_no_key() -> None:
    assert remote._parted("s3://bucket/a@b:c.csv")[:2] == ("s3", "bucket/a@b:c.csv")


def test_a_password_may_hold_any_sign_and_shows_in_no_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPW", "p@ss/w:rd?#% x")
    monkeypatch.setenv("PGHOSTS", "db:5432")
    url = "postgresql://u:${PGPW}@${PGHOSTS}/d"
    asked = urlsplit(query._expanded(url))
    assert (asked.hostname, asked.port, unquote(asked.password or "")) == ("db", 5432, "p@ss/w:rd?#% x")
    assert {"p@ss/w:rd?#% x", quote("p@ss/w:rd?#% x", safe="")} <= set(query._secrets(url))


@pytest.mark.parametrize("url", ["postgresql://u:secret@h/d", "postgresql://h/d?password=secret", "oracle://h/d"])
def test_what_no_address_may_say_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(DeclarationError) as error:
        Query(url, "SELECT 1", tmp_path)
    assert "secret" not in str(error.value)


def test_half_a_query_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="belong together"):
        project(tmp_path, 'database = "sqlite:///a.db"').ingest()
    with pytest.raises(ReadError, match="no such database"):
        project(tmp_path, 'database = "sqlite:///a.db"\nquery = "SELECT 1"').ingest()
    assert EventSource().query is None


def test_a_folder_may_be_named_at_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    FRAME.write_ipc(tmp_path / "days" / "1.arrow")
    assert project(tmp_path).ingest([tmp_path / "days"]).sentence() == "kept 2 rows of 1 file, quarantined 1"


def test_messages_say_query_and_frame_where_there_is_no_file(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.executescript("CREATE TABLE e (person, item, time); INSERT INTO e VALUES ('a', 'x', '2026-01-01')")
    named = 'database = "sqlite:///shop.db"\nquery = "SELECT person AS who, item, time FROM e"'
    with pytest.raises(DataError) as refused:
        project(tmp_path, named).ingest()
    assert refused.value.problem == "the answer to the query has no column 'user'; it has 'who', 'item', 'time'"
    assert refused.value.mend.endswith("or give it that name in `query` with AS")
    with pytest.raises(DataError) as refused:
        project(tmp_path).ingest(events=FRAME.rename({"user": "who"}))
    assert refused.value.problem == "the frame has no column 'user'; it has 'who', 'item', 'time'"
    assert refused.value.mend.endswith("or rename the frame's column")
    assert "header" not in refused.value.mend


def test_what_a_query_gives_is_guessed_without_words_for_files(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.executescript("CREATE TABLE e (user, item); INSERT INTO e VALUES ('a', 'x'), ('b', 'y')")
    reasons = guess_events([Query("sqlite:///shop.db", "SELECT * FROM e", tmp_path)]).reasons
    assert reasons[0] == "format: none is needed, the answer to the query says its own columns and types"
    assert not [reason for reason in reasons if "encoding" in reason or "array" in reason]
