"""The declaration: types, unknown names, the environment, and where each value comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.declaration import FILE, load, loads
from segue.domain.errors import DeclarationError, UnknownName

TEXT = """
[workspace]
name = "shop"

[events]
files = ["a.csv"]
[events.columns]
user = "u"
item = "i"

[models.ease]
learner = "ease"
regularization = 300

[surfaces.home]
sources = ["ease"]

[[rules]]
table = "events"
column = "item"
rule = "null"
"""


def test_what_is_said_is_typed_and_what_is_not_has_its_default() -> None:
    said = loads(TEXT).declaration
    assert said.workspace.name == "shop"
    assert said.events.columns.user == "u"
    assert said.events.delimiter == ","
    assert said.model("ease").learner == "ease"
    assert said.model("ease").parameters == {"regularization": 300}
    assert said.surfaces["home"].k == 20
    assert said.rules[0].severity == "error"


@pytest.mark.parametrize(
    ("wrong", "line", "offered"),
    [
        ("[evnts]\nfiles = []", 1, "events"),
        ('[events]\nfilse = ["a"]', 2, "files"),
        ('[events.columns]\nusr = "a"', 2, "user"),
        ('[surfaces.home]\nsources = ["a"]\n[surfaces.home.exploration]\npolcy = "none"', 4, "policy"),
        ('[[rules]]\ntable = "events"\ncolumn = "a"\nrule = "null"\nseverty = "error"', 5, "severity"),
    ],
)
def test_an_unknown_name_is_refused_with_its_line_and_the_nearest_known_one(
    wrong: str, line: int, offered: str
) -> None:
    with pytest.raises(DeclarationError, match=f"did you mean '{offered}'") as caught:
        loads(wrong)
    assert caught.value.where == f"{FILE}:{line}"


@pytest.mark.parametrize(
    ("wrong", "line", "names"),
    [
        ('[evaluation]\nseed = "three"', 2, "evaluation.seed"),
        ('[surfaces.home]\nsources = ["a"]\nk = 0', 3, "surfaces.home.k"),
        ('[surfaces.home.exploration]\npolicy = "thompson"\n[surfaces.home]\nsources = ["a"]', 2, "exploration.policy"),
        ("[surfaces.home]\nk = 5", 1, "sources"),
        ('[experiments.x]\nsurface = "home"\nvariants = {}\n', 1, "metrics"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line_its_name_and_what_was_found(wrong: str, line: int, names: str) -> None:
    with pytest.raises(DeclarationError, match=names) as caught:
        loads(wrong)
    assert caught.value.where == f"{FILE}:{line}"


def test_what_is_not_toml_is_refused_where_it_stops_being_toml() -> None:
    with pytest.raises(DeclarationError, match="not TOML"):
        loads("[events]\nfiles = [\n")


def test_a_model_without_a_learner_is_refused() -> None:
    with pytest.raises(DeclarationError, match="does not say its learner"):
        loads("[models.ease]\nregularization = 3")


def test_the_environment_overrides_the_file_and_both_are_named_as_origin() -> None:
    environment = {"SEGUE__SERVE__PORT": "9000", "SEGUE__WORKSPACE__NAME": "other", "PATH": "/bin"}
    loaded = loads(TEXT, environment=environment)
    assert loaded.declaration.serve.port == 9000
    assert loaded.declaration.workspace.name == "other"
    origins = {each.key: each.origin for each in loaded.origins()}
    assert origins["serve.port"] == "SEGUE__SERVE__PORT"
    assert origins["workspace.name"] == "SEGUE__WORKSPACE__NAME"
    assert origins["events.columns.user"] == f"{FILE}:8"
    assert origins["models.ease.regularization"] == f"{FILE}:13"
    assert origins["events.delimiter"] == "default"
    assert origins["rules.0.rule"] == f"{FILE}:21"


def test_a_wrong_override_names_its_variable() -> None:
    with pytest.raises(DeclarationError) as caught:
        loads("", environment={"SEGUE__SERVE__PORT": "many"})
    assert caught.value.where == "SEGUE__SERVE__PORT"


def test_a_folder_without_a_declaration_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="segue init"):
        load(tmp_path)


def test_a_declaration_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DeclarationError, match="UTF-8"):
        load(tmp_path)


TEST = '[experiments.x]\nsurface = "home"\nmetrics = {}\n'


@pytest.mark.parametrize(
    ("wrong", "line", "offered"),
    [
        ('[evaluation]\nbaseline = "popularty"', 2, "popularity"),
        ('[surfaces.x]\nsources = ["eas"]', 2, "ease"),
        ('[experiments.x]\nsurface = "hom"\nmetrics = {}\nvariants = {}', 2, "home"),
        (
            '[experiments.x]\nsurface = "home"\nmetrics = {}\n[experiments.x.variants.a]\nsurface = {sources = ["e"]}',
            4,
            "",
        ),
    ],
)
def test_a_name_that_another_part_gives_must_be_given_there(wrong: str, line: int, offered: str) -> None:
    known = '[models.popularity]\nlearner = "popularity"\n[models.ease]\nlearner = "ease"\n'
    known += '[surfaces.home]\nsources = ["ease"]\n'
    with pytest.raises(
        UnknownName, match=f"did you mean '{offered}'" if offered else "no model is called 'e'"
    ) as caught:
        loads(known + wrong)
    assert caught.value.where == f"{FILE}:{line + 6}"


def test_the_environment_means_the_names_of_the_file_whatever_their_case() -> None:
    text = '[models.BigEase]\nlearner = "ease"\n[models.als-2]\nlearner = "als"\n'
    environment = {"SEGUE__MODELS__BIGEASE__REGULARIZATION": "9", "SEGUE__MODELS__ALS_2__FACTORS": "8"}
    said = loads(text, environment=environment).declaration
    assert said.model("BigEase").parameters == {"regularization": 9}
    assert said.model("als-2").parameters == {"factors": 8}


def test_an_override_of_nothing_known_names_its_variable() -> None:
    with pytest.raises(DeclarationError) as caught:
        loads("", environment={"SEGUE__SERV__PORT": "1"})
    assert "SEGUE__SERV__PORT" in caught.value.where or "serv" in caught.value.problem


def test_a_value_that_is_none_of_the_choices_is_answered_with_the_choices() -> None:
    with pytest.raises(DeclarationError, match=r"did you mean .time.. it is one of: files, last, random, time"):
        loads('[evaluation]\nsplit = "tiem"')
    with pytest.raises(DeclarationError, match="plackett-luce"):
        loads('[surfaces.home]\nsources = []\n[surfaces.home.exploration]\npolicy = "plackett"')
