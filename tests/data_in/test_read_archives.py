"""Zip archives, and what archives may not do: unpack without end, overlap, hold archives."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from segue.data.read import archives
from segue.data.read.files import parts
from segue.domain.errors import ReadError
from tests.data_in.reading import event_source, only, read_all
from tests.data_in.test_read_files import TEXT, archive


def digests(path: Path) -> list[str]:
    return [part.digest() for part in parts(path)]


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_each_member_of_a_zip_is_a_part_of_its_own(tmp_path: Path, method: int) -> None:
    members = {
        "d/": b"",
        "d/2.csv": TEXT,
        "__MACOSX/d/._2.csv": b"?",
        ".DS_Store": b"?",
        "1.csv.gz": gzip.compress(TEXT),
    }
    path = zipped(tmp_path / "days.zip", members, method)
    found = []
    for part in parts(path, "days.zip"):
        assert part.head(4) == b"user"
        found.append((part.name, part.digest(), b"".join(part.blocks(5))))
    assert [name for name, _, _ in found] == ["days.zip/d/2.csv", "days.zip/1.csv.gz"]
    assert {text for _, _, text in found} == {TEXT}
    assert len({digest for _, digest, _ in found}) == 1
    assert len(read_all(path, event_source())[0]) == 4


def test_a_bomb_is_refused_before_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BOMB", 1 << 20)
    monkeypatch.setattr(archives, "SWELLS", 4)
    bomb = b"user,item\n" + b"a,x\n" * (1 << 19)
    tracemalloc.start()
    for path in (zipped(tmp_path / "a.zip", {"1.csv": bomb}), archive(tmp_path / "a.tar.gz", {"1.csv": bomb * 4})):
        tracemalloc.reset_peak()
        with pytest.raises(ReadError, match=r"bytes unpack to [\d,]+ or more") as error:
            list(parts(path, path.name))
        assert error.value.where == f"{path.name}/1.csv"
        if path.suffix == ".zip":
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_member_that_says_less_than_it_holds_is_damaged(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1.csv": TEXT * 99})
    content = path.read_bytes()
    size = (len(TEXT) * 99).to_bytes(4, "little")
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, (20).to_bytes(4, "little")))
    with pytest.raises(ReadError, match="CRC"):
        digests(path)


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("1.csv", TEXT * 20)
        info = made.infolist()[0]
        for number in range(5):
            twin = zipfile.ZipInfo(f"{number}.csv")
            for field in ("file_size", "compress_size", "CRC", "header_offset", "external_attr"):
                setattr(twin, field, getattr(info, field))
            made.filelist.append(twin)
        made._didModify = True  # type: ignore[attr-defined]
    (tmp_path / "a.zip").write_bytes(content.getvalue())
    with pytest.raises(ReadError, match="they overlap"):
        list(parts(tmp_path / "a.zip"))


@pytest.mark.parametrize("inner", ["zip", "tar"])
def test_an_archive_inside_an_archive_is_refused(tmp_path: Path, inner: str) -> None:
    made = zipped(tmp_path / "i.zip", {"1.csv": TEXT}) if inner == "zip" else archive(tmp_path / "i", {"1": TEXT}, "w")
    for outer in (
        zipped(tmp_path / "o.zip", {"inner": made.read_bytes()}),
        archive(tmp_path / "o.tar.gz", {"inner": made.read_bytes()}),
    ):
        with pytest.raises(ReadError, match="archive inside an archive"):
            digests(outer)


def test_a_file_to_which_lines_are_added_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT)
    part = only(path)
    with path.open("ab") as more:
        more.write(b"c,z\n")
    digest = part.digest()
    assert b"".join(part.blocks(3)) == TEXT
    path.write_bytes(TEXT)
    assert only(path).digest() == digest


@pytest.mark.parametrize(
    ("before", "after"), [(b"a,x\nb,y", b"a,x\nb,yz\n"), (b"a,x\nb,y\n", b"a,x\n"), (b"a,x\n", b"a,y\nc")]
)
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"user,item\n" + before)
    part = only(path)
    path.write_bytes(b"user,item\n" + after)
    if len(after) > len(before) and before.endswith(b"\n"):
        assert part.digest()  # what was added is whole lines, as far as sizes tell
    else:
        with pytest.raises(ReadError, match="changed while it was read"):
            part.digest()
