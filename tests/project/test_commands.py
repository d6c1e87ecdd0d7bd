"""The commands, one after the other, as a person types them."""

from __future__ import annotations

import csv
import errno
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from segue import Project
from segue.declaration import FILE
from segue.domain.errors import SegueError
from segue.recommendations import ROW, writer
from tests.project.conftest import segue, told


def test_init_says_what_it_guessed_and_why(files: Path, tmp_path: Path) -> None:
    result = segue("init", tmp_path / "shop", "--events", files / "events-*.csv", "--items", files / "items.jsonl")
    assert result.exit_code == 0
    assert "user: column 'user_id', by its name" in result.stdout
    written = (tmp_path / "shop" / FILE).read_text()
    assert 'user = "user_id"' in written
    assert "# user: column 'user_id', by its name" in written
    assert 'split = "time"' in written


def test_a_wrong_guess_is_mended_by_a_flag(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("who,what,whom\na,x,b\nb,y,a\n")
    words = ("init", tmp_path / "w", "--events", tmp_path / "log.csv", "--column", "user=whom", "--column", "item=what")
    assert segue(*words, "--order", "file").exit_code == 0
    events = Project.open(tmp_path / "w").declaration.events
    assert (events.columns.user, events.columns.item, events.order) == ("whom", "what", "file")
    assert Project.open(tmp_path / "w").declaration.evaluation.split == "last"


def test_init_does_not_overwrite_unless_it_is_forced(shop: Path, files: Path) -> None:
    words = ("init", shop, "--events", files / "events-*.csv")
    refused = segue(*words)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert segue(*words, "--force").exit_code == 0


@pytest.mark.parametrize("given", ["usr=a", "user"])
def test_a_column_that_cannot_be_is_refused(files: Path, tmp_path: Path, given: str) -> None:
    refused = segue("init", tmp_path / "w", "--events", files / "events-*.csv", "--column", given)
    assert refused.exit_code == 2
    assert "--column" in refused.stderr
    assert not (tmp_path / "w").exists()


def test_config_show_says_where_each_value_comes_from(shop: Path) -> None:
    shown = {row["key"]: row for row in told("-C", shop, "config", "show", "--origin")}
    assert shown["surfaces.home.k"]["value"] == 20
    assert shown["surfaces.home.k"]["origin"].startswith(f"{FILE}:")
    assert shown["serve.port"]["origin"] == "default"
    assert "serve.port = 8000    # default" in segue("-C", shop, "config", "show", "--origin").stdout


def test_ingest_twice_changes_nothing_and_says_so(shop: Path) -> None:
    before = Project.open(shop).snapshot().events_count
    again = segue("-C", shop, "ingest")
    assert "files were in already" in again.stdout
    assert Project.open(shop).snapshot().events_count == before


def test_what_cannot_be_read_is_in_quarantine_with_file_line_and_reason(shop: Path) -> None:
    kept = Project.open(shop).snapshot().quarantine().collect()
    assert kept.height > 0
    assert kept["reason"].null_count() == 0
    assert kept["line"].null_count() == 0
    assert all("events-" in name for name in kept["file"])


def test_check_passes_on_what_was_quarantined_and_fails_on_a_declared_rule(shop: Path) -> None:
    assert segue("-C", shop, "check").exit_code == 0
    with (shop / FILE).open("a") as declaration:
        declaration.write('[[rules]]\ntable = "items"\ncolumn = "price"\nrule = "range"\nmax = 0.01\n')
    broken = segue("-C", shop, "check", "--json")
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)[0]["broken"] > 0


def test_check_shows_one_thing_at_a_time(shop: Path) -> None:
    done = segue("-C", shop, "check", "--propose", "--history")
    assert done.exit_code == 2
    assert "give one of them" in done.output


def test_evaluate_compares_every_model_with_the_baseline(shop: Path) -> None:
    told_ = told("-C", shop, "evaluate", "ease")
    models = {model["model"]: model for model in told_["evaluation"]["models"]}
    assert set(models) == {"ease", "popularity"}
    assert models["ease"]["metrics"]["ndcg@10"]["value"] > models["popularity"]["metrics"]["ndcg@10"]["value"]
    assert {f"recall@{k}" for k in (5, 10, 20)} <= set(models["ease"]["metrics"])
    assert models["ease"]["differences"]["ndcg@10"]["low"] > 0
    assert models["ease"]["fit_seconds"] > 0
    assert "ease beats popularity" in told_["sentence"]


@pytest.mark.parametrize("split", ["time", "last", "random"])
def test_every_split_that_the_data_allow_works(shop: Path, split: str) -> None:
    assert told("-C", shop, "evaluate", "popularity", "--split", split)


@pytest.mark.parametrize(
    "spelled",
    [
        "{folder}/../{parent}/{base}",
        pytest.param("{name}", marks=pytest.mark.slow),
        pytest.param("{folder}/./{base}", marks=pytest.mark.slow),
    ],
)
def test_a_split_by_files_holds_back_those_files(shop: Path, files: Path, spelled: str) -> None:
    name = sorted(files.glob("events-*.csv"))[-1]
    last = spelled.format(name=name, folder=name.parent, base=name.name, parent=name.parent.name)
    text = (shop / FILE).read_text().replace('split = "time"', f'split = "files"\ntest_files = ["{last}"]')
    (shop / FILE).write_text(text)
    split = Project.open(shop).split()
    assert split.train.rows + split.test_rows == Project.open(shop).dataset().rows
    assert told("-C", shop, "evaluate", "popularity")


def test_a_split_by_files_that_names_none_is_refused(shop: Path) -> None:
    refused = segue("-C", shop, "evaluate", "--split", "files")
    assert refused.exit_code == 2
    assert "test_files" in refused.stderr


def test_affinity_of_the_learned_model_is_above_popularity(shop: Path) -> None:
    rows = {row["model"]: row["share"] for row in told("-C", shop, "affinity", "ease")}
    assert rows["ease"] > rows["popularity"]


def test_recommend_gives_reasons_that_a_person_can_read(shop: Path) -> None:
    person = Project.open(shop).snapshot().events().collect()["user"][0]
    listed = told("-C", shop, "recommend", "--user", person, "-k", 5, "--explain")
    assert len(listed["items"]) == 5
    assert listed["fallback"] == ""
    assert all(item["reason"] for item in listed["items"])
    for item in listed["items"]:
        parts = item["contributions"]
        if item["source"] == "ease":
            total = sum(score for _, score in parts["contributions"]) + parts.get("rest", 0.0)
            assert total == pytest.approx(item["score"], rel=1e-4)


def test_an_unknown_person_gets_a_sensible_list_and_is_told_so(shop: Path) -> None:
    listed = told("-C", shop, "recommend", "--user", "nobody-at-all", "-k", 3)
    assert len(listed["items"]) == 3
    assert listed["fallback"]


def test_items_of_a_history_that_nobody_knows_are_named(made: Path) -> None:
    known = told("-C", made, "recommend", "--history", "p0001")["title"]
    assert "nobody knows" not in known
    assert "(nobody knows bogus)" in told("-C", made, "recommend", "--history", "p0001,bogus")["title"]


def test_a_history_needs_no_person(shop: Path) -> None:
    items = Project.open(shop).snapshot().item_ids.ids[:3]
    listed = told("-C", shop, "recommend", "--history", ",".join(items), "-k", 4)
    assert len(listed["items"]) == 4
    assert not set(items) & {row["item"] for row in listed["items"]}


def test_more_items_than_there_are_gives_all_there_are(shop: Path) -> None:
    listed = told("-C", shop, "recommend", "--user", "nobody-at-all", "-k", 200)
    items = {row["item"] for row in listed["items"]}
    assert 0 < len(items) == len(listed["items"]) <= len(Project.open(shop).snapshot().item_ids)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_everybody_goes_into_a_file(shop: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"lists{suffix}"
    assert segue("-C", shop, "recommend", "--all", "-k", 3, "--out", out).exit_code == 0
    rows = {
        ".csv": lambda: list(csv.DictReader(out.open())),
        ".jsonl": lambda: [json.loads(line) for line in out.read_text().splitlines()],
        ".parquet": lambda: pq.read_table(out).to_pylist(),
    }[suffix]()
    lengths = Counter(row["person"] for row in rows)
    assert set(lengths) == {key[2:] for key in Project.open(shop).snapshot().person_ids.ids}
    assert sum(length == 3 for length in lengths.values()) >= 300  # all but the robots, who have seen nearly everything
    one = rows[0]["person"]
    single = told("-C", shop, "recommend", "--user", one, "-k", 3)
    assert [row["item"] for row in rows if row["person"] == one] == [row["item"] for row in single["items"]]


@pytest.mark.parametrize(
    "words",
    [
        ("--all",),
        ("--all", "--out", "lists.txt"),
        ("--all", "--out", "lists.csv", "--user", "a"),
        (),
        ("--user", "a", "--history", "b"),
    ],
)
def test_what_recommend_cannot_do_is_refused_with_the_way_out(shop: Path, words: tuple[str, ...]) -> None:
    refused = segue("-C", shop, "recommend", *words)
    assert refused.exit_code == 2
    assert "→" in refused.stderr
    assert "`" not in refused.stderr  # said in options, not in arguments of Python


def test_where_nothing_is_trained_a_named_model_is_not_looked_for(files: Path, tmp_path: Path) -> None:
    assert segue("init", tmp_path / "w", "--events", files / "events-*.csv").exit_code == 0
    refused = segue("-C", tmp_path / "w", "recommend", "--user", "a", "--model", "ease")
    assert "run `segue train` first" in refused.stderr


def test_a_model_that_says_nothing_of_an_item_says_so(shop: Path) -> None:
    with (shop / "segue.toml").open("a") as declared:
        declared.write('\n[models.again]\nlearner = "repeats"\n')
    assert segue("-C", shop, "train", "popularity", "again").exit_code == 0
    item = Project.open(shop).items.select("id").collect()["id"][0]
    assert "says nothing of the item" in segue("-C", shop, "similar", item, "--model", "again").stdout
    refused = segue("-C", shop, "similar", item, "--model", "popularity")
    assert refused.exit_code == 2
    assert "popularity does not say what is similar\n  → name another with --model" in refused.stderr


def test_a_list_in_a_notebook_escapes_titles(shop: Path) -> None:
    listed = Project.open(shop).recommend("nobody-at-all", k=2)
    object.__setattr__(listed, "title", "<script>")
    assert "<script>" not in listed._repr_html_()
    assert listed.items == list(listed)


def test_releases_are_listed_switched_and_rolled_back(shop: Path) -> None:
    first = told("-C", shop, "release", "list")[0]["release"]
    assert segue("-C", shop, "release", "ease", "popularity").exit_code == 0
    current = {row["release"]: row["current"] for row in told("-C", shop, "release", "list")}
    assert len(current) == 2
    assert not current[first]
    assert segue("-C", shop, "release", "rollback").exit_code == 0
    assert Project.open(shop).registry.current() == first
    assert "no release" in segue("-C", shop, "release", "switch", "never").stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("train", "eas"), "did you mean 'ease'"),
        (("recommend", "--user", "a", "--model", "item_kn"), "did you mean 'item_knn'"),
        (("release", "eas"), "did you mean 'ease'"),
        (("experiment", "none"), "no experiment is called"),
        (("ingest", "no-such-file.csv"), "no-such-file.csv"),
    ],
)
def test_a_wrong_name_is_answered_in_words(shop: Path, words: tuple[str, ...], hint: str) -> None:
    refused = segue("-C", shop, *words)
    assert refused.exit_code == 2
    assert hint in refused.stderr


def test_without_a_workspace_every_command_says_how_to_make_one(tmp_path: Path) -> None:
    for command in (["ingest"], ["train"], ["serve"], ["recommend", "--user", "a"], ["release", "list"]):
        refused = segue("-C", tmp_path, *command)
        assert refused.exit_code == 2
        assert "segue init" in refused.stderr


def test_before_ingest_training_says_what_to_do_first(files: Path, tmp_path: Path) -> None:
    assert segue("init", tmp_path / "w", "--events", files / "events-*.csv").exit_code == 0
    assert "segue ingest" in segue("-C", tmp_path / "w", "train").stderr
    assert "segue train" in segue("-C", tmp_path / "w", "recommend", "--user", "a").stderr


def test_drain_with_nothing_to_drain_is_no_error(shop: Path) -> None:
    assert told("-C", shop, "drain") == [{"events": 0, "decisions": 0}]


def test_an_experiment_without_exposures_says_that_it_is_too_early(shop: Path) -> None:
    with (shop / FILE).open("a") as declaration:
        declaration.write(
            '[experiments.test]\nsurface = "home"\n'
            '[experiments.test.variants.a]\nsurface = {sources = ["popularity"]}\n[experiments.test.variants.b]\n'
            '[experiments.test.metrics.clicked]\ntypes = ["click"]\n'
        )
    result = segue("-C", shop, "experiment", "test")
    assert result.exit_code == 0
    assert "too early" in result.stdout.lower() or "no " in result.stdout.lower()


def test_simulate_writes_a_world(tmp_path: Path) -> None:
    result = segue("simulate", tmp_path / "files", "--people", 20, "--items", 30, "--days", 3)
    assert result.exit_code == 0
    assert (tmp_path / "files" / "items.jsonl").exists()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_file_of_no_rows_has_its_columns(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"lists{suffix}"
    with writer(out, ROW) as write:
        write([])
    if suffix == ".parquet":
        assert pq.read_table(out).column_names == list(ROW)
    if suffix == ".csv":
        assert out.read_text().strip() == ",".join(ROW)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_file_that_was_broken_off_is_not_there(tmp_path: Path) -> None:
    rows = (ROW | {"score": 1 / score} for score in (1, 0))
    with pytest.raises(ZeroDivisionError), writer(tmp_path / "lists.csv", ROW) as write:
        write(rows)
    assert not list(tmp_path.iterdir())


def test_a_file_whose_last_rows_find_no_room_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    to = writer(tmp_path / "lists.csv", ROW)
    monkeypatch.setattr(to.sink, "close", full)
    with pytest.raises(OSError, match="no space left"), to as write:
        write([ROW])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("k", [0, -1, 201])
def test_a_list_of_an_impossible_length_is_refused(shop: Path, k: int) -> None:
    with pytest.raises(SegueError, match="1 to 200"):
        Project.open(shop).recommend("nobody", k=k)


def test_quarantine_shows_reasons_and_rows(shop: Path) -> None:
    held = told("-C", shop, "quarantine", "-n", 5)
    assert len(held["rows"]) == 5
    assert all(row["file"] and row["line"] and row["reason"] for row in held["rows"])
    one = next(iter(held["reasons"]))
    assert told("-C", shop, "quarantine", "--reason", one)["reasons"] == {one: held["reasons"][one]}
    assert one in segue("-C", shop, "quarantine").stdout
    nothing = segue("-C", shop, "quarantine", "show", "--reason", "no such reason").stdout
    assert f"'{one}' ({held['reasons'][one]:,})" in nothing.replace("\n", " ")


def test_ingest_that_keeps_nothing_is_no_success(files: Path, tmp_path: Path) -> None:
    words = ("init", tmp_path / "w", "--events", files / "events-*.csv")
    assert segue(*words).exit_code == 0
    text = (tmp_path / "w" / FILE).read_text().replace("[events.columns]", 'time_format = "%Y"\n\n[events.columns]')
    (tmp_path / "w" / FILE).write_text(text)
    lost = segue("-C", tmp_path / "w", "ingest")
    assert lost.exit_code == 2
    assert "segue quarantine" in lost.stderr


def test_a_list_prints_in_a_few_lines(shop: Path) -> None:
    listed = Project.open(shop).recommend("nobody-at-all", k=3)
    assert len(str(listed).splitlines()) == 5
    assert len(repr(listed)) < 100


def test_a_reader_that_has_enough_is_no_error(shop: Path) -> None:
    command = f"{sys.executable} -m segue -C {shop} config show | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


def test_of_many_files_those_are_told_that_say_most(tmp_path: Path) -> None:
    for number in range(30):
        bad = "nobody,\n" if number == 17 else ""
        (tmp_path / f"{number:02d}.csv").write_text(f"user,item\nu{number},x\n{bad}")
    columns = '[events.columns]\nuser = "user"\nitem = "item"\n'
    (tmp_path / FILE).write_text(f'[events]\nfiles = ["*.csv"]\n{columns}')
    reports = Project.open(tmp_path).ingest()
    rows = reports.telling()
    assert (len(reports.rows()), len(rows), rows[0]["file"]) == (30, 21, "17.csv")
    assert rows[-1]["file"] == "10 other files"
    assert sum(row["kept"] for row in rows) == 30
