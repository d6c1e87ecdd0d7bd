"""The index of ids: it misses no file that has an id, whatever came before it, and holds no id itself."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.lake import ids as index_of_ids
from segue.data.lake.ids import IdIndex
from segue.data.lake.lake import Appended, Lake
from tests.data_lake.world import frame


def written(folder: Path, name: str, ids: list[str]) -> str:
    pl.DataFrame({"id": pl.Series(ids, dtype=pl.String)}).write_parquet(folder / name)
    return name


IDS = st.lists(st.text("abü", min_size=0, max_size=3), max_size=12)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(IDS, max_size=8), IDS, st.sampled_from([1, 3, 100]), st.booleans())
def test_every_file_that_has_an_id_is_found(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[str]], sought: list[str], few: int, again: bool
) -> None:
    """However ids begin, however runs are merged, in this process or in another."""
    folder = tmp_path_factory.mktemp("ids")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_of_ids, "FEW", few)
        patch.setattr(index_of_ids, "RUN_ROWS", 10)
        patch.setattr(index_of_ids, "PREFIX", 2)
        index = IdIndex(folder / "index")
        names: list[str] = []
        for number, ids in enumerate(files):
            names.append(written(folder, f"{number}.parquet", ids))
            if again:
                index = IdIndex(folder / "index")
            found = index.files_with(pl.Series(sought, dtype=pl.String), folder, names)
            assert found == IdIndex(folder / "index").look(pl.Series(sought, dtype=pl.String), names)
            has = {name for name, held in zip(names, files, strict=False) if set(held) & set(sought)}
            assert has <= set(found) <= set(names)
            if few == 1 and len(sought) == 0:
                assert found == []


def test_a_file_without_the_ids_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(tmp_path / "lake")
    letters = [f"{n * 7919 % 1000:03d}-random" for n in range(1000)]  # as many beginnings as ids
    for number in range(4):
        batch = [{"id": name, "user": "a", "item": "x"} for name in letters[number * 200 : number * 200 + 200]]
        assert lake.append_events(frame(batch), f"b{number}") == Appended(200, 0)
    table = lake.tables["events"]
    files = table.files()["path"].to_list()
    found = table.ids.files_with(pl.Series(letters[400:402]), table.path, files)
    assert len(found) == 1
    assert table.ids.files_with(pl.Series(letters[900:]), table.path, files) == []
    assert [len(run.hashes) for run in table.ids.runs] == [600, 200], "runs that are alike in size become one"


def test_files_that_are_gone_are_let_go(tmp_path: Path) -> None:
    index = IdIndex(tmp_path / "index")
    names = [written(tmp_path, f"{number}.parquet", [f"{number}-only"]) for number in range(4)]
    index.files_with(pl.Series(["x"]), tmp_path, names)
    index.told(["told.parquet"], pl.Series(["0123456789abcdef-1"]))
    index.drop(names[2:])
    again = IdIndex(tmp_path / "index")
    assert again.look(pl.Series(["2-only"]), names[2:]) == names[2:3]
    assert set(again.few) == set(names[2:])


@pytest.mark.parametrize("harm", ["manifest.json", "run-0-hashes.npy"])
def test_an_index_that_is_gone_or_damaged_is_made_anew(tmp_path: Path, harm: str) -> None:
    names = [f"{n}-some" for n in range(50)]
    rows = frame([{"id": name, "user": "a", "item": "x"} for name in names])
    lake = Lake(tmp_path / "lake")
    lake.append_events(rows, "b0")
    lake.append_events(frame([{"id": "new", "user": "a", "item": "x"}]), "b1")
    (lake.root / ".ids/events" / harm).unlink()
    assert Lake(lake.root).append_events(rows, "b2") == Appended(0, 50)


def test_the_index_holds_no_id(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for number in range(3):
        some = [{"id": f"ann-{number}-{n}", "user": "a", "item": "x"} for n in range(50)]
        lake.append_events(frame(some), f"b{number}")
    held = b"".join(path.read_bytes() for path in (lake.root / ".ids").rglob("*") if path.is_file())
    assert held
    assert b"ann" not in held


def test_what_left_the_table_is_let_go(tmp_path: Path) -> None:
    index = IdIndex(tmp_path / "index")
    names = [written(tmp_path, f"{n}.parquet", [f"{n}-{m}" for m in range(30)]) for n in range(4)]
    index.files_with(pl.Series(["x"]), tmp_path, names)
    index.drop(set(names[1:]))
    assert index.runs, "a little that is stale does no harm"
    index.drop({names[0]})
    assert not index.runs
    assert index.files_with(pl.Series(["0-3"]), tmp_path, names[:1]) == names[:1]
