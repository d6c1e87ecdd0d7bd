"""Files in archives are named one by one, by init and by people."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from segue import Project
from segue.data.settings import StorageSettings
from segue.data.sources.places import locations
from segue.domain.errors import DataError, ReadError
from segue.starter import initialise
from tests.data_in.test_read_files import archive as tar

EVENTS = "user,item\n" + "".join(f"u{n % 7},i{n % 5}\n" for n in range(35))
ITEMS = "item,title\n" + "".join(f"i{n},Title {n}\n" for n in range(5))
FILES = {
    "data/README.txt": b"What this is.\nSome words, and more of them.\n",
    "data/clicks.csv": EVENTS.encode(),
    "data/items.csv": ITEMS.encode(),
    "data/picture.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0",
}


def archive(path: Path, members: dict[str, bytes]) -> Path:
    """A zip or a tar archive, as its name says."""
    if path.suffix != ".zip":
        return tar(path, members)
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["all.zip", "all.tar.gz"])
def test_init_takes_what_is_of_one_shape_and_ingest_reads_it(tmp_path: Path, name: str) -> None:
    whole = archive(tmp_path / name, FILES)
    started = initialise(tmp_path / "shop", [str(whole)], [str(whole / "data/items.csv")])
    left_out = [reason for reason in started.reasons["events"] if reason.startswith("files: without")]
    assert len(left_out) == 3
    assert any("picture.png, which is no table" in reason for reason in left_out)
    project = Project.open(tmp_path / "shop")
    assert project.declaration.events.files == (f"../{name}/data/clicks.csv",)
    assert project.declaration.items.files == (f"../{name}/data/items.csv",)
    kept = {report.path: report.kept for report in project.ingest().files}
    assert kept == {f"../{name}/data/clicks.csv": 35, f"../{name}/data/items.csv": 5}


def test_a_member_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    whole = archive(tmp_path / "all.zip", FILES)
    (place,) = locations([str(whole / "data/click.csv")], Path(), StorageSettings(), "mend it")
    assert not isinstance(place, Path)
    with pytest.raises(ReadError, match="the archive has no such file") as refused:
        list(place.parts())
    assert "data/clicks.csv" in refused.value.mend


def test_a_path_that_goes_on_in_a_plain_file_is_no_member(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(EVENTS)
    with pytest.raises(DataError, match="there is no such file"):
        locations(["a.csv/b.csv"], tmp_path, StorageSettings(), "mend it")
