"""Releases: one unit, made whole, verified before they serve, switched by a rename, safe from what goes around them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from segue.data.settings import EventColumns, EventSource
from segue.decide.ask import Ask
from segue.decide.surface import Exploration, Surface
from segue.domain.errors import DeclarationError, ModelError, UnknownName
from segue.domain.experiment import Experiment, Variant
from segue.operate import registry as module
from segue.operate.follower import Follower
from segue.operate.registry import Registry
from segue.operate.release import whole
from segue.operate.train import runs
from tests.operate.shop import HOME, NOW, Lake, released, shop, trained

TRIAL = {"trial": Experiment("home", {"A": Variant(), "B": Variant(surface={"sources": ["popularity"]})}, {})}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop(tmp_path_factory.mktemp("made")).folder.parent


@pytest.fixture
def registry(made: Path, tmp_path: Path) -> Registry:
    return Registry(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


def ask(request_id: str = "r", **named: Any) -> Ask:
    return Ask("home", request_id, NOW, **named)


def test_a_release_is_loaded_as_it_was_made(registry: Registry) -> None:
    surfaces = {"home": Surface(("ease",), k=5, exploration=Exploration("plackett-luce"), deny=("i03",))}
    made = registry.release(["ease", "popularity"], surfaces, TRIAL, Lake(), NOW)
    loaded = registry.load()
    assert loaded.release == made
    assert loaded.surfaces == surfaces
    assert loaded.experiments == TRIAL
    assert loaded.catalog == Lake().catalog()
    assert list(loaded.models) == ["ease", "popularity"]
    assert (made.fallback, made.fingerprint, made.created, made.items) == ("popularity", "lake-1", NOW, 40)
    assert registry.current() == made.id == loaded.id
    assert registry.list() == [made]
    decision = loaded.decide(ask(user="ann", history=("i01",)))
    assert decision.release == made.id
    assert decision.assignments == {"trial": TRIAL["trial"].variant_of("trial", "u:ann")}
    assert loaded.decide(ask(history=("i01",))).assignments == {}


def test_all_that_surfaces_and_variants_need_goes_in_and_something_for_strangers(registry: Registry) -> None:
    assert list(registry.release([], HOME, TRIAL, Lake()).models) == ["ease", "popularity"]
    assert list(registry.release([], HOME, {}, Lake()).models) == ["ease", "popularity"]  # the fallback
    assert list(registry.release(["ease"], HOME, {}, Lake()).models) == ["ease"]


@pytest.mark.parametrize(
    ("models", "surfaces", "experiments", "problem"),
    [
        ([], {"home": Surface(("eas",))}, {}, "no trained model is called 'eas'"),
        (["eas"], HOME, {}, "no trained model is called 'eas'"),
        (["popularity"], HOME, {}, "'ease' is needed, and not among those to be released"),
        ([], {}, {}, "there is no surface to release"),
        ([], HOME, {"t": Experiment("hone", {}, {})}, "no surface is called 'hone'"),
    ],
)
def test_what_cannot_serve_is_not_released(
    registry: Registry, models: list[str], surfaces: dict, experiments: dict, problem: str
) -> None:
    with pytest.raises((DeclarationError, UnknownName), match=problem):
        registry.release(models, surfaces, experiments, Lake())
    assert registry.names() == []
    assert registry.current() is None


def test_switch_and_rollback_go_where_they_say(registry: Registry) -> None:
    one, two, three = (released(registry).id for _ in range(3))
    registry.switch(three)
    assert registry.rollback() == two == registry.current()
    assert registry.rollback() == one
    with pytest.raises(UnknownName, match=f"no release was in service before {one}"):
        registry.rollback()
    assert registry.switch(three) == registry.current() == three
    with pytest.raises(UnknownName, match="no release is called 'nine'"):
        registry.switch("nine")
    assert [row["current"] for row in registry.rows()] == ["", "", "*"]


def test_a_rollback_goes_to_what_was_in_service_before(registry: Registry) -> None:
    one, two, three = (released(registry).id for _ in range(3))
    registry.switch(one)
    assert registry.rollback() == three == Registry(registry.folder.parent).current()
    registry.switch(one)
    four = released(registry).id
    assert [registry.rollback() for _ in range(4)] == [one, three, two, one]
    assert four in registry.names()
    with pytest.raises(UnknownName, match=f"no release was in service before {one}.*\n.*{four}"):
        registry.rollback()
    assert registry.current() == one


def test_a_rollback_leaves_out_what_is_gone_and_refuses_what_is_damaged(registry: Registry) -> None:
    one, two, three = (released(registry).id for _ in range(3))
    registry.switch(one)
    shutil.rmtree(registry.folder / three)
    (registry.folder / two / "catalog.jsonl").unlink()
    with pytest.raises(ModelError):
        registry.rollback()
    assert registry.current() == one


def test_a_release_remembers_what_events_weigh(registry: Registry) -> None:
    events = EventSource(files=("e.csv",), columns=EventColumns(item="i"), types={"buy": 3.0}, weight="quantity")
    registry.release([], HOME, {}, Lake(), events=events)
    assert registry.load().events == events
    manifest = registry.manifest()
    assert manifest is not None
    assert manifest.events == events
    released(registry)
    assert registry.load().events is None


def test_a_release_without_anything_for_strangers_says_what_they_get(registry: Registry) -> None:
    assert registry.release([], HOME, {}, Lake()).row()["for strangers"] == "popularity"
    told = registry.release(["ease"], HOME, {}, Lake()).row()["for strangers"]
    assert told.startswith("items in the order of their ids: train and release a model")


def test_old_releases_go_as_new_ones_come(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    names = [released(registry).id for _ in range(4)]
    assert registry.names() == names[2:]
    registry.switch(names[2])
    newer = [released(registry).id for _ in range(3)]
    assert registry.names() == newer[1:]
    assert registry.rollback() == newer[1]


def test_a_release_outlives_the_runs_and_the_releases_it_was_linked_from(registry: Registry) -> None:
    kept, other = released(registry), released(registry)
    file = f"models/ease/{_arrays(registry, kept.id)[0].name}"
    inode = {os.stat(registry.folder / each.id / file).st_ino for each in (kept, other)}
    assert len(inode) == 1  # memory maps are shared
    shutil.rmtree(registry.models)
    shutil.rmtree(registry.folder / other.id)
    assert registry.load(kept.id).decide(ask(history=("i01",))).shown


def test_prune_keeps_what_serves_and_what_a_rollback_needs(registry: Registry) -> None:
    names = sorted(released(registry).id for _ in range(5))
    registry.switch(names[2])
    assert registry.prune(keep=1) == [names[0], names[1], names[3]]
    assert registry.names() == [names[2], names[4]]
    assert registry.rollback() == names[4]


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
@pytest.mark.parametrize("file", ["models/ease/weights.npy", "models/ease/manifest.json", "catalog.jsonl"])
def test_a_damaged_file_is_found_named_and_never_served(registry: Registry, file: str, damage: str) -> None:
    good = released(registry).id
    follower = Follower(registry.folder.parent)
    assert follower.refresh()
    bad = released(registry).id
    path = registry.folder / bad / file
    _damage(path, damage)
    with pytest.raises(ModelError) as caught:
        registry.load(bad)
    assert str(path) in caught.value.where
    assert "segue release switch" in caught.value.mend
    assert not follower.refresh()
    assert follower.release is not None
    assert follower.release.id == good
    assert str(path) in follower.problem
    with pytest.raises(ModelError):
        registry.switch(bad)


def _damage(path: Path, damage: str) -> None:
    content = path.read_bytes()
    path.unlink()  # the file is linked into other releases and the run: those must stay as they are
    if damage == "flip":
        path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])


def test_a_manifest_that_was_changed_or_is_newer_is_refused(registry: Registry) -> None:
    made = released(registry)
    path = registry.folder / made.id / "manifest.json"
    content = path.read_text()
    path.write_text(content.replace('"k": 5', '"k": 6'))
    with pytest.raises(ModelError, match="its checksum differs"):
        registry.load()
    path.write_text(content.replace('"format":1', '"format":2'))
    with pytest.raises(ModelError, match="of format 2, this Segue reads up to 1"):
        registry.load()
    path.write_text(content[:50])
    with pytest.raises(ModelError, match="manifest cannot be read"):
        registry.load()
    assert registry.rows()[0]["problem"].startswith("the release's manifest cannot be read")
    assert registry.list() == []


def test_a_model_of_a_newer_format_is_refused_before_it_is_released(registry: Registry) -> None:
    made = trained(registry.models.parent)
    path = registry.models / "ease" / made.run / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(ModelError, match="of format 99"):
        released(registry)
    assert registry.names() == []


def test_defaults_are_written_out(registry: Registry) -> None:
    """A later version with other defaults must serve what was released."""
    made = released(registry)
    content = (registry.folder / made.id / "manifest.json").read_text()
    assert '"temperature"' in content
    assert whole(HOME)["home"]["exploration"]["epsilon"] == 0.1


KILLED = """
import os, signal, sys
from pathlib import Path
from segue.operate import registry as module
from tests.operate.shop import released
def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, sys.argv[2], killed) if sys.argv[2] != "_point" else setattr(module.Registry, "_point", killed)
released(module.Registry(Path(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", ["written", "loaded", "publish", "_point", "replace"])
def test_a_kill_at_any_step_leaves_the_current_release_in_service(registry: Registry, step: str) -> None:
    good = released(registry).id
    workspace = registry.folder.parent
    killed = subprocess.run([sys.executable, "-c", KILLED, str(workspace), step], cwd=Path(__file__).parents[2])
    assert killed.returncode == -signal.SIGKILL
    assert registry.current() == good
    assert len(registry.names()) == (2 if step in ("_point", "replace") else 1)
    for name in registry.names():
        registry.load(name)
    after = released(registry)
    assert registry.current() == after.id
    assert list(registry.folder.glob(".draft-*")) == []


def test_releases_at_once_are_safe(registry: Registry) -> None:
    with ThreadPoolExecutor(3) as pool:
        made = {each.id for each in pool.map(lambda _: released(registry), range(3))}
    assert set(registry.names()) == made
    assert registry.current() in made
    for name in made:
        registry.load(name)


def test_a_workspace_on_a_disk_without_links_gets_copies(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    made = released(registry)
    assert registry.load(made.id).decide(ask(history=("i01",))).shown


def test_nothing_released_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="nothing is released yet"):
        Registry(tmp_path).load()
    with pytest.raises(UnknownName, match="no release was in service before the first"):
        Registry(tmp_path).rollback()
    assert Registry(tmp_path).rows() == []


def test_releasing_and_training_do_not_disturb_each_other(registry: Registry) -> None:
    for _ in range(3):
        trained(registry.models.parent)
        released(registry)
    assert len(registry.names()) == 3
    assert len(runs(registry.models / "ease")) == 4


def _arrays(registry: Registry, name: str) -> list[Path]:
    return sorted((registry.folder / name / "models" / "ease").glob("*.npy"))
