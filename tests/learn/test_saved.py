"""Models on disk: whole or refused, never half-written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segue.domain.errors import ModelError
from segue.domain.items import Items
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine
from segue.learn import saved
from segue.learn.ease import EASE, LinearItems
from segue.learn.learner import load_model, save_model
from segue.learn.popularity import Popularity
from segue.testing.datasets import mixed


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("saved") / "run"
    save_model(EASE().fit(LocalEngine(), mixed()), run, {"params": {"regularization": 300}})
    return run


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    return shutil.copytree(kept, tmp_path / "run")


def test_the_manifest_describes_every_file(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["learner"] == "ease"
    assert manifest["extra"] == {"params": {"regularization": 300}}
    assert {"manifest.json", *manifest["files"]} == {path.name for path in folder.iterdir()}
    assert manifest["files"]["weights.npy"]["dtype"] == "float32"
    assert manifest["files"]["weights.npy"]["shape"] == list(np.load(folder / "weights.npy").shape)


def test_a_loaded_model_is_memory_mapped(folder: Path) -> None:
    model = load_model(folder)
    assert isinstance(model, LinearItems)
    assert isinstance(model.weights.base, np.memmap)


def test_ids_of_any_script_and_length_survive(tmp_path: Path) -> None:
    from segue.engines.local import Table

    ids = ["", "ü", "日本", "a\nb", "x" * 10_000, "🎵"]
    model = Popularity().fit(LocalEngine(), Table.of(["u"] * len(ids), ids))
    save_model(model, tmp_path / "run", {})
    assert load_model(tmp_path / "run").items.ids == tuple(sorted(ids))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 4)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
@pytest.mark.parametrize("name", ["weights.npy", "learned.npy", "model.json", "item_ids.npy", "item_id_ends.npy"])
def test_a_damaged_file_is_named(folder: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(folder / name)
    with pytest.raises(ModelError, match=rf"{name}: .*(missing|expected|checksum)") as caught:
        load_model(folder)
    assert "train the model again" in caught.value.mend


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": "x", "files": {}, "learner": "ease"}', '{"format": 1}']
)
def test_a_damaged_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ModelError, match=r"manifest.json: the manifest cannot be read"):
        load_model(folder)


def changed(folder: Path, **fields: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_newer_format_is_refused(folder: Path) -> None:
    changed(folder, format=2, segue="9.9")
    with pytest.raises(ModelError, match=r"of format 2, this Segue reads up to 1\n.*Segue 9.9"):
        load_model(folder)


def test_a_learner_that_is_not_installed_is_named(folder: Path) -> None:
    changed(folder, learner="somebody_elses")
    with pytest.raises(ModelError, match="needs the learner 'somebody_elses', which is not installed"):
        load_model(folder)


def test_a_path_out_of_the_folder_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    changed(folder, files=manifest["files"] | {"../../secret": {"bytes": 1, "blake2b": ""}})
    with pytest.raises(ModelError, match="names a file outside of its folder"):
        load_model(folder)


@pytest.mark.parametrize("name", ["../weights", "/etc/weights", "titles"])
def test_arrays_of_another_name_are_refused(folder: Path, name: str) -> None:
    """Of a folder that is there: `np.load` would read it, and what is in it is no part of the model."""
    np.save(folder.parent / "weights.npy", np.zeros(1, np.float32))
    path = folder / "model.json"
    path.write_text(json.dumps({"arrays": ["learned", name], "values": {}}))
    with pytest.raises(ModelError, match=rf"arrays that this model does not have: '{name}'"):
        LinearItems.load(folder, Items(["x"]))


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="this is no saved model"):
        load_model(tmp_path)


def test_a_run_is_not_written_over(folder: Path) -> None:
    with pytest.raises(ModelError, match="there is a model here already"):
        save_model(load_model(folder), folder, {})


@pytest.mark.parametrize("step", ["save_ids", "_described", "_sync"])
@pytest.mark.parametrize("why", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_save_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, why: BaseException | type[BaseException]
) -> None:
    def stop(*_: object) -> None:
        raise why

    model = EASE().fit(LocalEngine(), mixed())
    monkeypatch.setattr(saved, step, stop)
    with pytest.raises((KeyboardInterrupt, OSError)):
        save_model(model, tmp_path / "run", {})
    assert list(tmp_path.iterdir()) == []


def test_everything_is_synced_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    sync = saved._sync
    monkeypatch.setattr(saved, "_sync", lambda path: (events.append(path.name), sync(path)))
    monkeypatch.setattr(Path, "rename", lambda path, target: (events.append("rename"), os.rename(path, target)))
    save_model(Popularity().fit(LocalEngine(), mixed()), tmp_path / "run", {})
    written = {path.name for path in (tmp_path / "run").iterdir()}
    before = events[: events.index("rename")]
    assert written < set(before)
    assert events[-1] == tmp_path.name


def test_a_recommender_that_nobody_offers_says_how_to_offer_it(tmp_path: Path) -> None:
    class Own(LinearItems):
        pass

    model = EASE().fit(LocalEngine(), mixed())
    assert isinstance(model, LinearItems)
    with pytest.raises(ModelError, match=r"segue\.learners"):
        save_model(Own(model.items, model.learned, model.weights), tmp_path / "run", {})


def test_scores_survive(folder: Path) -> None:
    requests = Requests(Histories.of([[1, 2], []]))
    assert np.array_equal(load_model(folder).scores(requests), EASE().fit(LocalEngine(), mixed()).scores(requests))
