"""Plain, compressed and archived files; damaged ones are refused with what to do next."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest

from segue.data.read.files import Part, inner_suffix, parts
from segue.data.read.read import read_rows
from segue.data.settings import FileSource
from segue.domain.errors import MissingColumn, ReadError
from tests.data_in.reading import event_source, read_all

TEXT = b"user,item\na,x\nb,y\n"
ROWS = [{"user": "a", "item": "x"}, {"user": "b", "item": "y"}]


def archive(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def zstd(content: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(content)
    return out.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.csv", bytes),
        ("a.csv.gz", gzip.compress),
        ("a.csv.zst", zstd),
        ("a", gzip.compress),
        ("twice.gz", lambda text: gzip.compress(text[:12]) + gzip.compress(text[12:])),
    ],
)
def test_plain_and_compressed_files(tmp_path: Path, name: str, pack: object) -> None:
    (tmp_path / name).write_bytes(pack(TEXT))  # type: ignore[operator]
    assert read_all(tmp_path / name, event_source()) == (ROWS, [])


def test_compressing_and_renaming_do_not_change_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(TEXT)
    (tmp_path / "b.gz").write_bytes(gzip.compress(TEXT))
    (tmp_path / "c.zst").write_bytes(zstd(TEXT))
    archive(tmp_path / "d.tar.gz", {"x/e.csv": TEXT})
    digests = {part.digest() for name in ("a.csv", "b.gz", "c.zst", "d.tar.gz") for part in parts(tmp_path / name)}
    assert len(digests) == 1


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_each_member_of_an_archive_is_a_part_of_its_own(tmp_path: Path, mode: str) -> None:
    path = archive(tmp_path / "days.tar", {"d/1.csv": TEXT, "d/.hidden": b"?", "d/2.csv": TEXT[:14]}, mode)
    names = [part.name for part in parts(path, "days.tar")]
    assert names == ["days.tar/d/1.csv", "days.tar/d/2.csv"]
    assert [row["user"] for row in read_all(path, event_source())[0]] == ["a", "b", "a"]


def test_a_part_can_be_read_more_than_once(tmp_path: Path) -> None:
    for part in parts(archive(tmp_path / "a.tgz", {"1.csv": TEXT})):
        assert part.head(4) == b"user"
        assert b"".join(part.blocks(5)) == b"".join(part.blocks(7)) == TEXT


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_truncated_file_is_refused_before_its_first_row(tmp_path: Path, pack: object) -> None:
    whole = pack(b"user,item\n" + b"a,x%d\n" * 20_000)  # type: ignore[operator]
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (part,) = parts(tmp_path / "cut")
    with pytest.raises(ReadError, match="was cut off") as error:
        part.digest()
    assert "copy or download it again" in str(error.value)


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(TEXT))
    whole[-6] ^= 0xFF
    (tmp_path / "a.gz").write_bytes(bytes(whole))
    with pytest.raises(ReadError, match="damaged"):
        read_all(tmp_path / "a.gz", event_source())


def test_a_truncated_archive_says_that_what_was_read_is_not_taken_twice(tmp_path: Path) -> None:
    import random

    noise = random.Random(1).randbytes(300_000).hex().encode()
    path = archive(tmp_path / "a.tar.gz", {"1.csv": TEXT, "2.csv": b"user,item\nz," + noise + b"\n"})
    path.write_bytes(path.read_bytes()[:100_000])
    seen = []
    with pytest.raises(ReadError, match="is not taken twice"):
        seen += [part.name for part in parts(path, "a")]


def test_what_cannot_be_read_at_all_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04....")
    for path, words in (
        (tmp_path / "none.csv", "no such file"),
        (tmp_path, "a folder"),
        (tmp_path / "a.zip", "damaged"),
    ):
        with pytest.raises(ReadError, match=words):
            list(parts(path))


def test_the_ending_that_tells_the_format() -> None:
    assert [inner_suffix(name) for name in ("a.CSV", "a.jsonl.gz", "a.parquet", "a", "a.tsv.zst")] == [
        ".csv",
        ".jsonl",
        ".parquet",
        "",
        ".tsv",
    ]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("\ufeffuser,item\né,ü\n".encode(), "utf-8"),
        ("user,item\né,ü\n".encode("latin-1"), "latin-1"),
        ("user,item\né,ü\n".encode("cp1252"), "cp1252"),
        ("user,item\né,ü\n".encode("utf-16"), "utf-16"),
        ("user,item\né,ü\n".encode("utf-16"), "utf-8"),
        ("user,item\né,ü\n".encode("utf-16-be"), "utf-16-be"),
        ("\ufeffuser,item\né,ü\n".encode(), "latin-1"),
        ("user,item\né,ü\n".encode(), "utf-8-sig"),
    ],
)
def test_encodings(tmp_path: Path, text: bytes, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes(text)
    assert read_all(tmp_path / "a.csv", event_source(encoding=encoding))[0] == [{"user": "é", "item": "ü"}]


def test_bytes_that_the_encoding_does_not_know_break_their_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"user,item\na,\x93x\nb,\x81y\n")
    rows, broken = read_all(tmp_path / "a.csv", event_source(encoding="cp1252"))
    assert rows == [{"user": "a", "item": "“x"}]
    assert [(row.line, row.reason, row.column, row.raw) for row in broken] == [(3, "not cp1252", "item", "b,\\x81y")]


def test_a_line_without_end_is_refused_by_the_name_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in (("a.csv", "delimited"), ("a.jsonl", "json_lines")):
        monkeypatch.setattr(f"segue.data.read.{module}.LONGEST", 1000)
        (tmp_path / name).write_bytes(b"x" * 5000)
        monkeypatch.setattr("segue.data.read.files.Part.blocks.__defaults__", (500,))
        with pytest.raises(ReadError, match=rf"{name}: a line is longer"):
            read_all(tmp_path / name, event_source())


def test_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(TEXT)
    with pytest.raises(ReadError, match="no encoding is called 'klingon'"):
        read_all(tmp_path / "a.csv", event_source(encoding="klingon"))


def test_a_missing_column_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"users,item\na,x\n")
    with pytest.raises(MissingColumn, match=r"no column 'user'; it has 'users', 'item'\n.*did you mean 'users'"):
        read_all(tmp_path / "a.csv", event_source())


def test_a_wrong_delimiter_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"user;item\na;x\n")
    with pytest.raises(MissingColumn, match=r"the delimiter is ','; should it be ';'\?"):
        read_all(tmp_path / "a.csv", event_source())


def test_a_doubled_column_is_refused_where_it_is_meant(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"user,item,item,x,x\na,1,2,3,4\n")
    with pytest.raises(ReadError, match="the column 'item' comes twice"):
        read_all(tmp_path / "a.csv", event_source())
    assert read_all(tmp_path / "a.csv", FileSource())[0] == [
        {"user": "a", "item": "1", "item (2)": "2", "x": "3", "x (2)": "4"}
    ]


def test_only_the_columns_that_events_need_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"user,item,other\na,x,\xff\n")
    (chunk,) = read_rows(tmp_path / "a.csv", event_source())
    assert chunk.frame.columns == ["user", "item"]
    assert not chunk.broken


def test_a_part_that_is_damaged_says_its_name() -> None:
    stream = gzip.GzipFile(fileobj=io.BytesIO(b"\x1f\x8bnonsense"))
    with pytest.raises(ReadError, match=r"^x\.gz: "):
        Part("x.gz", Path("x.gz"), lambda: stream).head(10)  # type: ignore[arg-type,return-value]
