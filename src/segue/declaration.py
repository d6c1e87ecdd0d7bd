"""The one declaration: `segue.toml` and its overrides from the environment, typed, with the origin of every value."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from segue.data.features.settings import Feature
from segue.data.identity.settings import IdentitySettings, RobotSettings, SessionSettings
from segue.data.maps.registry import resolved
from segue.data.quality.kinds import offered as kinds_of_rules
from segue.data.settings import EventSource, ItemSource, LakeSettings, Rule, StorageSettings, UserSource
from segue.decide.surface import Surface
from segue.domain.errors import DeclarationError, UnknownName, unknown
from segue.domain.experiment import Experiment
from segue.domain.settings import Settings
from segue.measure.settings import EvaluationSettings
from segue.operate.tune.settings import Said
from segue.serve.settings import ServeSettings

FILE = "segue.toml"
PREFIX = "SEGUE__"

KeyPath = tuple[str, ...]
_ROOT: KeyPath = ()


class Workspace(Settings, frozen=True):
    """Who this is."""

    name: str = "workspace"


class ModelSettings(msgspec.Struct, frozen=True):
    """One model: which learner, and the learner's own parameters beside it."""

    learner: str
    parameters: dict[str, Any]


class Declaration(Settings, frozen=True):
    """All that `segue.toml` can say. Each part is defined in the room that it configures."""

    workspace: Workspace = Workspace()
    events: EventSource = EventSource()
    items: ItemSource = ItemSource()
    users: UserSource = UserSource()
    storage: StorageSettings = StorageSettings()
    identity: IdentitySettings = IdentitySettings()
    sessions: SessionSettings = SessionSettings()
    robots: RobotSettings = RobotSettings()
    lake: LakeSettings = LakeSettings()
    features: dict[str, Feature] = msgspec.field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    models: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    evaluation: EvaluationSettings = EvaluationSettings()
    tuning: dict[str, Said] = msgspec.field(default_factory=dict)
    surfaces: dict[str, Surface] = msgspec.field(default_factory=dict)
    experiments: dict[str, Experiment] = msgspec.field(default_factory=dict)
    serve: ServeSettings = ServeSettings()

    def model(self, name: str) -> ModelSettings:
        """The learner and parameters of one declared model."""
        if name not in self.models:
            raise unknown("model", name, self.models, where=f"{FILE} [models]")
        parameters = dict(self.models[name])
        learner = parameters.pop("learner", None)
        if not isinstance(learner, str):
            raise DeclarationError(
                f"model '{name}' does not say its learner",
                where=f"{FILE} [models.{name}]",
                mend='add a line such as: learner = "ease"',
            )
        return ModelSettings(learner, parameters)


@dataclass(frozen=True)
class Origin:
    """One value of the declaration and where it was said: "default", "segue.toml:12" or "SEGUE__SERVE__PORT"."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True)
class Loaded:
    """A declaration with what it was read from."""

    declaration: Declaration
    raw: dict[str, Any]
    lines: dict[KeyPath, int]
    environment: dict[KeyPath, str]

    def origins(self) -> list[Origin]:
        """Every setting, its value and its origin, in the order of the declaration."""
        defaults = dict(_flatten(Declaration()))
        said = _flatten(self.declaration)
        return [
            Origin(".".join(path), value, self._origin(path) or self._map(path, value, defaults))
            for path, value in said
        ]

    def _map(self, path: KeyPath, value: Any, defaults: Mapping[KeyPath, Any]) -> str:
        """The import map that says what the declaration does not; "default" where none does."""
        by_name = getattr(getattr(self.declaration, path[0], None), "map", None)
        return f'map "{by_name}"' if by_name is not None and value != defaults.get(path) else "default"

    def _origin(self, path: KeyPath) -> str:
        """Where a value was said; "" where it was not."""
        for depth in range(len(path), 0, -1):
            if path[:depth] in self.environment:
                return self.environment[path[:depth]]
            if path[:depth] in self.lines and _given(self.raw, path):
                return f"{FILE}:{self.lines[path[:depth]]}"
        return ""


def load(folder: Path, environment: Mapping[str, str] | None = None) -> Loaded:
    """Read the declaration of a workspace; a `DeclarationError` names the line and the nearest known name."""
    path = folder / FILE
    if not path.is_file():
        raise DeclarationError(
            "there is no workspace here",
            where=str(path),
            mend="`segue init DIR --events FILE` makes one; `-C DIR` names another folder",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DeclarationError("the file is not UTF-8", where=str(path), mend=str(error)) from error
    return loads(text, str(path), os.environ if environment is None else environment)


def loads(text: str, where: str = FILE, environment: Mapping[str, str] | None = None) -> Loaded:
    """The same from text, as `load` does from a file.

    >>> loads('[evaluation]\\nk = [10]').declaration.evaluation.k
    (10,)
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError(f"this is not TOML: {error}", where=where, mend="mend that line") from error
    lines = _lines(text)
    overrides = _apply_environment(raw, environment or {})
    _refuse_unknown_names(raw, lines, overrides, where)
    try:
        declaration = msgspec.convert(raw, Declaration)
    except msgspec.ValidationError as error:
        raise _typed(error, raw, lines, overrides, where) from error
    declaration = _with_maps(_with_identity(declaration, raw, where), where)
    for name in declaration.models:
        declaration.model(name)
    for name, feature in declaration.features.items():
        feature.check(name)
    for kind, name, path, known in _references(declaration, raw):
        if name not in known:
            raise unknown(kind, name, known, where=overrides.get(path) or _place(path, lines, where))
    return Loaded(declaration, raw, lines, overrides)


def _with_identity(said: Declaration, raw: dict[str, Any], where: str) -> Declaration:
    """The declaration with what [identity] says handed to all files, whose ids must meet."""
    tables = ("events", "items", "users")
    for table in tables:
        if "identity" in raw.get(table, {}):
            raise DeclarationError(
                f"how ids are read is said once, for all files, not under [{table}]",
                where=where,
                mend="write it under [identity]",
            )
    sources = {name: msgspec.structs.replace(getattr(said, name), identity=said.identity) for name in tables}
    return msgspec.structs.replace(said, **sources)


def _with_maps(said: Declaration, where: str) -> Declaration:
    """The declaration with what the import maps that it names say of the files."""
    if said.events.map is None and said.items.map is None:
        return said
    try:
        return msgspec.structs.replace(said, events=resolved(said.events), items=resolved(said.items))
    except UnknownName as error:
        raise UnknownName(error.problem, where=where, mend=error.mend) from error


def _references(said: Declaration, raw: dict[str, Any]) -> Iterator[tuple[str, str, KeyPath, Iterable[str]]]:
    """What one part of the declaration calls by the name that another part gives: kind, name, place, known names."""
    if "baseline" in raw.get("evaluation", {}):
        yield "model", said.evaluation.baseline, ("evaluation", "baseline"), said.models
    for number, rule in enumerate(said.rules):
        yield "kind of rule", rule.rule, ("rules", str(number), "rule"), kinds_of_rules()
    for name in said.tuning:
        yield "model", name, ("tuning", name), said.models
    for name, surface in said.surfaces.items():
        for source in surface.sources:
            yield "model", source, ("surfaces", name, "sources"), said.models
    for name, experiment in said.experiments.items():
        yield "surface", experiment.surface, ("experiments", name, "surface"), said.surfaces
        for each, variant in experiment.variants.items():
            for source in variant.surface.get("sources", ()):
                yield "model", source, ("experiments", name, "variants", each), said.models


def _apply_environment(raw: dict[str, Any], environment: Mapping[str, str]) -> dict[KeyPath, str]:
    """Set `SEGUE__SERVE__PORT=9000` and the like in `raw`; the names that were used, by path."""
    used = {}
    for variable in sorted(environment):
        if not variable.startswith(PREFIX):
            continue
        table, path = raw, _ROOT
        *tables, last = variable.removeprefix(PREFIX).split("__")
        for part in tables:
            path = (*path, _name_in(table, part))
            table = table.setdefault(path[-1], {})
            if not isinstance(table, dict):
                raise DeclarationError(f"'{part}' is not a table", where=variable, mend="correct the variable's name")
        path = (*path, _name_in(table, last))
        table[path[-1]] = _value(environment[variable])
        used[path] = variable
    return used


def _name_in(table: Mapping[str, Any], part: str) -> str:
    """The name of the file that a part of a variable means: case counts for nothing there, and "_" stands for "-"."""
    plain = part.lower()
    return next((name for name in table if name.lower().replace("-", "_") == plain.replace("-", "_")), plain)


def _value(text: str) -> Any:
    """A TOML value where the text is one, the text itself where it is not."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _lines(text: str) -> dict[KeyPath, int]:
    """The line of each table header and key. Enough for messages: values that span lines are found by their key."""
    found: dict[KeyPath, int] = {}
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := re.match(r"\s*\[\[\s*([^\]]+?)\s*\]\]", line):
            name = _split(match[1])
            counts[name] = counts.get(name, -1) + 1
            table = (*name, str(counts[name]))
            found[table] = number
        elif match := re.match(r"\s*\[\s*([^\]]+?)\s*\]\s*(#.*)?$", line):
            table = _split(match[1])
            found[table] = number
        elif match := re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line):
            found.setdefault((*table, *_split(match[1])), number)
    return found


def _split(dotted: str) -> KeyPath:
    return tuple(a or b or c for a, b, c in re.findall(r"\"([^\"]*)\"|'([^']*)'|([^.\s]+)", dotted))


def _refuse_unknown_names(
    raw: dict[str, Any], lines: dict[KeyPath, int], overrides: dict[KeyPath, str], where: str
) -> None:
    for path, known in _unknown(raw, msgspec.inspect.type_info(Declaration), ()):
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        guess = f"did you mean '{near[0]}'? " if near else ""
        raise DeclarationError(
            f"there is no setting '{path[-1]}'" + (f" in [{'.'.join(path[:-1])}]" if path[1:] else ""),
            where=overrides.get(path) or _place(path, lines, where),
            mend=f"{guess}known here: {', '.join(sorted(known))}",
        )


def _unknown(value: Any, kind: msgspec.inspect.Type, path: KeyPath) -> Iterator[tuple[KeyPath, list[str]]]:
    """Paths in `value` whose last name no struct on the way knows, with the names that are known there."""
    match kind, value:
        case msgspec.inspect.StructType(), dict():
            known = {field.encode_name: field.type for field in kind.fields}
            for name, part in value.items():
                if name not in known:
                    yield (*path, name), list(known)
                else:
                    yield from _unknown(part, known[name], (*path, name))
        case msgspec.inspect.DictType(), dict():
            for name, part in value.items():
                yield from _unknown(part, kind.value_type, (*path, name))
        case msgspec.inspect.VarTupleType(), list():
            for number, part in enumerate(value):
                yield from _unknown(part, kind.item_type, (*path, str(number)))


def _typed(
    error: msgspec.ValidationError,
    raw: dict[str, Any],
    lines: dict[KeyPath, int],
    overrides: dict[KeyPath, str],
    where: str,
) -> DeclarationError:
    """The same error with the line, the setting's name and the value that was found."""
    problem, _, place = str(error).partition(" - at `$")
    path = _concrete(raw, re.findall(r"\.\.\.|[^.\[\]`]+", place))
    name = ".".join(path)
    found = _given_value(raw, path)
    spot = overrides.get(path) or _place(path, lines, where)
    if problem.startswith("Invalid enum value"):
        return _not_one_of(name, found, _choices(path), spot)
    shown = "" if isinstance(found, (dict, list)) else f", found {found!r}"
    return DeclarationError(f"{name}: {problem}{shown}", where=spot, mend="correct that value")


def _not_one_of(name: str, found: Any, choices: list[str], where: str) -> DeclarationError:
    near = difflib.get_close_matches(str(found), choices, n=1, cutoff=0.5)
    guess = f"did you mean '{near[0]}'? " if near else ""
    return DeclarationError(
        f"{name} cannot be {found!r}", where=where, mend=f"{guess}it is one of: {', '.join(choices)}"
    )


def _choices(path: KeyPath) -> list[str]:
    """What the setting at a path may be, where its type lists it."""
    kind: Any = msgspec.inspect.type_info(Declaration)
    for part in path:
        if isinstance(kind, msgspec.inspect.StructType):
            kind = next(field.type for field in kind.fields if field.encode_name == part)
        else:
            kind = getattr(kind, "value_type", None) or getattr(kind, "item_type", kind)
    literals = [each for each in (kind, *getattr(kind, "types", ())) if isinstance(each, msgspec.inspect.LiteralType)]
    return [str(value) for literal in literals for value in literal.values]


def _concrete(raw: dict[str, Any], pattern: Sequence[str]) -> KeyPath:
    """msgspec writes `[...]` for a name of a mapping; the path with the names whose values are refused."""
    path: KeyPath = ()
    for step in pattern:
        node, part = _given_value(raw, path), step
        if step == "..." and isinstance(node, dict):
            part = next((name for name in node if _refused(_only(raw, path, name))), step)
            raw = _only(raw, path, part) if part in node else raw
        if not (isinstance(node, dict) and part in node) and not (isinstance(node, list) and part.isdigit()):
            return path
        path = (*path, part)
    return path


def _only(raw: dict[str, Any], path: KeyPath, name: str) -> dict[str, Any]:
    """A copy in which the mapping at `path` has this one name."""
    if not path:
        return {name: raw[name]}
    return raw | {path[0]: _only(raw[path[0]], path[1:], name)}


def _refused(raw: dict[str, Any]) -> bool:
    try:
        msgspec.convert(raw, Declaration)
    except msgspec.ValidationError:
        return True
    return False


def _place(path: KeyPath, lines: dict[KeyPath, int], where: str) -> str:
    for depth in range(len(path), 0, -1):
        if path[:depth] in lines:
            return f"{where}:{lines[path[:depth]]}"
    return where


def _given(raw: Any, path: KeyPath) -> bool:
    try:
        _given_value(raw, path)
    except (KeyError, IndexError, ValueError, TypeError):
        return False
    return True


def _given_value(raw: Any, path: KeyPath) -> Any:
    for part in path:
        raw = raw[int(part)] if isinstance(raw, list) else raw[part]
    return raw


def _flatten(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            if field == "identity" and path:
                continue  # handed on from [identity]
            yield from _flatten(getattr(value, field), (*path, field))
    elif isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _flatten(part, (*path, name))
    elif isinstance(value, tuple) and any(isinstance(part, msgspec.Struct) for part in value):
        for number, part in enumerate(value):
            yield from _flatten(part, (*path, str(number)))
    else:
        yield path, value
