"""Training saves a model whole or not at all, beside what others train at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from segue.domain.errors import DeclarationError, ModelError, UnknownName
from segue.engines.local import LocalEngine
from segue.learn.ease import EASE
from segue.learn.learner import load_model
from segue.operate.drafts import PREFIX, draft, publish
from segue.operate.train import RUNS_KEPT, runs, train, trained_model, trained_names
from tests.decide.world import table
from tests.operate.shop import NOW, released, shop, trained


def test_what_was_trained_is_told_and_found_again(tmp_path: Path) -> None:
    made = trained(tmp_path)
    assert trained_model(tmp_path / "models", "ease") == made
    assert (made.learner, made.parameters["regularization"], made.personal) == ("ease", 5.0, True)
    assert (made.rows, made.people, made.trained, made.fingerprint) == (420, 60, NOW, "lake-1")
    assert made.dataset == table().fingerprint
    assert made.fit_seconds > 0
    assert made.row()["run"] == made.run
    assert made.note.startswith("dense: ")
    model = load_model(tmp_path / "models" / "ease" / made.run)
    assert len(model.items) == made.items
    assert model.nbytes == made.nbytes
    assert model.note == made.note


def test_the_newest_run_is_current_and_old_ones_go(tmp_path: Path) -> None:
    names = [trained(tmp_path).run for _ in range(RUNS_KEPT + 2)]
    kept = runs(tmp_path / "models" / "ease")
    assert len(kept) in (RUNS_KEPT, RUNS_KEPT + 1)  # the runs of one second sort by chance; the current one stays
    assert trained_model(tmp_path / "models", "ease").run == names[-1]


def test_trainings_at_once_are_safe(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: trained(tmp_path), range(4)))
    assert len({each.run for each in made}) == 4
    assert trained_model(tmp_path / "models", "ease") in made
    assert _drafts(tmp_path / "models" / "ease") == []
    for run in runs(tmp_path / "models" / "ease"):
        load_model(tmp_path / "models" / "ease" / run)


class Overtaken(EASE, frozen=True):
    """An EASE whose training takes so long that others begin later and are done before it."""

    workspace: str = ""
    others: int = 1

    def fit(self, engine, dataset, validate=None):
        for minute in range(1, self.others + 1):
            train(
                "ease",
                EASE(min_people=1),
                engine,
                dataset,
                Path(self.workspace) / "models",
                now=NOW + timedelta(minutes=minute),
            )
        return super().fit(engine, dataset, validate)


@pytest.mark.parametrize("others", [1, RUNS_KEPT + 1])
def test_who_began_last_is_current_whoever_ends_last(tmp_path: Path, others: int) -> None:
    slow = trained(tmp_path, learner=Overtaken(min_people=1, workspace=str(tmp_path), others=others))
    folder = tmp_path / "models" / "ease"
    assert trained_model(tmp_path / "models", "ease").trained == NOW + timedelta(minutes=others)
    assert len(load_model(folder / slow.run).items) == slow.items  # what was returned is there
    assert len(runs(folder)) == min(others, RUNS_KEPT) + 1


def test_a_current_run_that_is_damaged_is_replaced_whenever_it_began(tmp_path: Path) -> None:
    later = train("ease", EASE(min_people=1), LocalEngine(), table(), tmp_path / "models", now=NOW + timedelta(days=1))
    (tmp_path / "models" / "ease" / later.run / "manifest.json").write_text("{")
    assert trained_model(tmp_path / "models", trained(tmp_path).model).trained == NOW


class Interrupted(EASE, frozen=True):
    """An EASE whose owner presses Ctrl-C."""

    def fit(self, engine, dataset, validate=None):
        raise KeyboardInterrupt


def test_ctrl_c_leaves_the_current_run_as_it_was(tmp_path: Path) -> None:
    before = trained(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, learner=Interrupted())
    assert trained_model(tmp_path / "models", "ease") == before
    assert _drafts(tmp_path / "models" / "ease") == []


FULL = """
import resource, sys
from pathlib import Path
from segue.domain.errors import DataError
from tests.operate.shop import released, shop, trained
from segue.operate.registry import Registry
workspace, what = Path(sys.argv[1]), sys.argv[2]
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
try:
    trained(workspace) if what == "train" else released(Registry(workspace))
except DataError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["train", "release"])
def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path: Path, what: str) -> None:
    """No file may grow over 3,000 bytes: the weights of 40 items and the catalog both do."""
    registry = shop(tmp_path)
    before, release = trained_model(tmp_path / "models", "ease"), released(registry)
    command = [sys.executable, "-c", FULL, str(tmp_path), what]
    said = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert "the disk is full" in said.stdout
    assert "free some space" in said.stdout
    assert trained_model(tmp_path / "models", "ease") == before
    assert runs(tmp_path / "models" / "ease") == [before.run]
    assert registry.names() == [release.id] == [registry.current()]
    assert _drafts(tmp_path / "models" / "ease") == _drafts(tmp_path / "releases") == []


KILLED = """
import sys, time
from pathlib import Path
from segue.operate.drafts import draft
with draft(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("written")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_what_a_kill_left_is_swept_and_what_lives_is_not(tmp_path: Path) -> None:
    with draft(tmp_path) as living:
        killed = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE)
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"ready\n"
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        killed.stdout.close()
        assert len(_drafts(tmp_path)) == 2
        with draft(tmp_path) as another:
            assert sorted(_drafts(tmp_path)) == sorted([living, another])
        assert _drafts(tmp_path) == [living]
    assert _drafts(tmp_path) == []


def test_a_published_draft_is_readable_by_others_and_synced(tmp_path: Path) -> None:
    with draft(tmp_path) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text("x")
        publish(folder, tmp_path / "place")
    assert (tmp_path / "place" / "deep" / "file").read_text() == "x"
    assert os.stat(tmp_path / "place").st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a b"])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeclarationError, match="cannot be the name of a model"):
        train(name, EASE(), LocalEngine(), table(), tmp_path, now=NOW)


def test_what_was_never_trained_is_named(tmp_path: Path) -> None:
    assert trained_names(tmp_path / "models") == []
    trained(tmp_path)
    with pytest.raises(UnknownName, match="did you mean 'ease'"):
        trained_model(tmp_path / "models", "eas")


def test_a_manifest_that_does_not_tell_is_a_model_error(tmp_path: Path) -> None:
    made = trained(tmp_path)
    path = tmp_path / "models" / "ease" / made.run / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 420', '"rows": "many"'))
    with pytest.raises(ModelError, match="does not tell how the model was trained"):
        trained_model(tmp_path / "models", "ease")
    path.write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        trained_model(tmp_path / "models", "ease")


def test_runs_are_named_by_time(tmp_path: Path) -> None:
    assert trained(tmp_path).run.startswith("20261121-094500-")


def _drafts(folder: Path) -> list[Path]:
    return list(folder.glob(f"{PREFIX}*"))
