"""Every example of the README and of docs/ runs and prints what it says; every setting, command and error is told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import msgspec
import pytest

from segue.cli import main
from segue.declaration import Declaration, loads
from segue.domain import errors
from segue.learn.learner import learners
from segue.simulate.world import World
from tests.docs.running import blocks, matches, reader

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
LANGUAGES = {"python", "console", "toml", "text", "json", "sh"}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the pages speak of: a shop's events, items and users."""
    folder = tmp_path_factory.mktemp("docs")
    World("shop", seed=1, people=300, items=120, days=28).write(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run_and_print_what_it_says(page: Path, files: Path, tmp_path: Path) -> None:
    (tmp_path / "files").symlink_to(files)
    with reader(tmp_path) as someone:
        for block in blocks(page):
            someone.read(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_are_of_a_known_language(page: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block.place}: ```{block.language}"
        if block.language == "toml":
            assert loads(block.text, block.place)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_make_is_told_of_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.MULTILINE)) <= targets, page.name


def commands(group: click.Command, name: str = "segue") -> list[str]:
    if not isinstance(group, click.Group):
        return [name]
    found = [] if name == "segue" else [name]
    for each, command in group.commands.items():
        found += commands(command, name if command.hidden else f"{name} {each}")
    return found


def test_every_command_and_option_is_told() -> None:
    text = (DOCS / "commands.md").read_text()
    for name in set(commands(main)):
        assert re.search(rf"^## `{re.escape(name)}\b", text, re.MULTILINE), f"docs/commands.md does not tell `{name}`"
    for command in walk(main):
        for option in command.params:
            if isinstance(option, click.Option):
                assert any(f"`{name}" in text for name in option.opts), f"{command.name}: {option.opts}"


def walk(command: click.Command) -> list[click.Command]:
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return [command, *(each for child in below for each in walk(child))]


def structs() -> dict[str, type[msgspec.Struct]]:
    """Every settings struct that the declaration reaches, and every learner's parameters."""
    found: dict[str, type[msgspec.Struct]] = {}

    def visit(kind: msgspec.inspect.Type) -> None:
        if isinstance(kind, msgspec.inspect.StructType):
            if kind.cls.__name__ in found:
                return
            found[kind.cls.__name__] = kind.cls
            for field in kind.fields:
                visit(field.type)
        for part in ("value_type", "item_type"):
            if hasattr(kind, part):
                visit(getattr(kind, part))
        for each in getattr(kind, "types", ()):
            visit(each)

    visit(msgspec.inspect.type_info(Declaration))
    return found | {kind.__name__: kind for kind in learners().values()}


def told_settings() -> dict[str, dict[str, str]]:
    """docs/settings.md: for each struct (named in its heading) the settings of its table and their defaults."""
    told: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in (DOCS / "settings.md").read_text().splitlines():
        if heading := re.match(r"#+ .*\(`?(\w+)`?\)\s*$", line):
            current = told.setdefault(heading[1], {})
        elif row := re.match(r"\| `(\w+)` \| (.*?) \|", line):
            current[row[1]] = row[2].strip().strip("`").replace("\\|", "|")
    return told


def test_every_setting_is_told_with_its_default() -> None:
    told = told_settings()
    for name, kind in structs().items():
        if name == "Declaration":
            continue
        assert name in told, f"docs/settings.md has no heading that ends in ({name})"
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        assert set(told[name]) == set(fields), f"docs/settings.md, {name}"
        for field in fields.values():
            assert told[name][field.name] == default(field), f"docs/settings.md, {name}.{field.name}"


def default(field: msgspec.structs.FieldInfo) -> str:
    """A default as the page writes it: as TOML would, "needed" where there is none, "" where it is nothing."""
    value = field.default if field.default is not msgspec.NODEFAULT else None
    if field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    elif field.default is msgspec.NODEFAULT:
        return "needed"
    if value is None or value in ({}, ()) or isinstance(value, msgspec.Struct):
        return ""
    text = msgspec.json.encode(value).decode()
    return text if isinstance(value, str) else text.replace(",", ", ")


def test_every_error_is_told() -> None:
    text = (DOCS / "errors.md").read_text()
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert f"`{name}`" in text, f"docs/errors.md does not tell {name}"


def test_every_answer_of_the_service_that_is_a_refusal_is_told() -> None:
    from segue.serve import problems

    text = (DOCS / "serving.md").read_text()
    for code in problems.KINDS:
        assert f"`{code}`" in text, f"docs/serving.md does not tell {code}"


def test_the_changelog_tells_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("shown", "said", "same"),
    [
        ("kept 12 rows", "kept 7 rows", True),
        ("kept 12 rows", "lost 7 rows", False),
        ("a\nb\nc", "a\n…\nc", True),
        ("model   ease  0.12", "model ease 0.99", True),
        ("wrote /tmp/x/segue.toml", "wrote …segue.toml", True),
        ("a\nc", "a\nb", False),
    ],
)
def test_output_is_held_to_the_page_up_to_numbers(shown: str, said: str, same: bool) -> None:
    assert matches(shown, said) is same
