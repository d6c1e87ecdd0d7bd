"""Writes what won into segue.toml: the values of one model's table, and nothing else."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from segue.domain.errors import DeclarationError
from segue.operate.tune.result import TunedModel

MARK = "# Tuned "


def write(path: Path, tuned: TunedModel, metric: str, now: datetime) -> bool:
    """Set the winner's parameters under `[models.<name>]`, with a comment of when and why; False where nothing changes.

    Everything else stays as it is, comments too. Raises `DeclarationError`, and leaves the file alone, where the new
    text would not say exactly the old settings and these.
    """
    if not tuned.changes or tuned.chosen is None:
        return False
    before = path.read_text(encoding="utf-8")
    text = edited(before, tuned.model, tuned.changes, _comment(tuned, metric, now))
    _only_sets(text, before, tuned, path)
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text, encoding="utf-8")
    aside.chmod(path.stat().st_mode & 0o777)
    aside.replace(path)
    return True


def edited(text: str, model: str, values: Mapping[str, Any], comment: str) -> str:
    """The text with these values in the table of the model: in the lines that have them, or at the table's end.

    >>> text = '[models.a]\\nlearner = "ease"\\n\\n[models.b]\\nk = 3  # few\\n'
    >>> print(edited(text, "b", {"k": 5, "b": 0.5}, "# why"))
    [models.a]
    learner = "ease"
    <BLANKLINE>
    [models.b]
    # why
    k = 5  # few
    b = 0.5
    <BLANKLINE>
    """
    lines = text.splitlines()
    start = next((row for row, line in enumerate(lines) if _header(line) == ("models", model)), None)
    if start is None:
        return text
    stop = next((row for row in range(start + 1, len(lines)) if lines[row].lstrip().startswith("[")), len(lines))
    body = [line for line in lines[start + 1 : stop] if not line.startswith(MARK)]
    for name, value in values.items():
        body = _set(body, name, value)
    return "\n".join([*lines[: start + 1], comment, *body, *lines[stop:]]) + "\n"


def toml(values: Mapping[str, Any]) -> str:
    """The lines that say these values; what is None cannot be said, and is left out.

    >>> toml({"k": 5, "similarity": "bm25", "keep": None})
    'k = 5\\nsimilarity = "bm25"'
    """
    return "\n".join(f"{name} = {_toml(value)}" for name, value in values.items() if value is not None)


def _set(body: list[str], name: str, value: Any) -> list[str]:
    pattern = re.compile(rf"(\s*[\"']?{re.escape(name)}[\"']?\s*=\s*)([^#]*?)(\s*(?:#.*)?)$")
    place = next((row for row, line in enumerate(body) if pattern.match(line)), None)
    if value is None:  # not said, it is None
        return body if place is None else [*body[:place], *body[place + 1 :]]
    if place is not None:
        return [
            *body[:place],
            pattern.sub(lambda found: f"{found[1]}{_toml(value)}{found[3]}", body[place]),
            *body[place + 1 :],
        ]
    end = max((row + 1 for row, line in enumerate(body) if line.strip() and line.lstrip()[0] != "#"), default=0)
    return [*body[:end], f"{name} = {_toml(value)}", *body[end:]]


def _header(line: str) -> tuple[str, ...] | None:
    match = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$", line)
    if match is None:
        return None
    return tuple(a or b or c for a, b, c in re.findall(r"\"([^\"]*)\"|'([^']*)'|([^.\s\"']+)", match[1]))


def _comment(tuned: TunedModel, metric: str, now: datetime) -> str:
    assert tuned.chosen is not None
    value, gain = tuned.chosen.value, tuned.chosen.difference
    interval = "" if value.low is None or value.high is None else f" ({value.low:.4f} to {value.high:.4f})"
    against = "" if gain is None else f", {gain.value:+.4f} against what stood here"
    share = tuned.chosen.trial.share
    people = "" if share == 1 else f", learned from {tuned.learned_from(share)}"
    return (
        f"{MARK}by `segue tune` on {now.date()}: {metric} {value.value:.4f}{interval} on validation{against}, "
        f"{tuned.chosen.compared} settings compared{people}"
    )


def _toml(value: Any) -> str:
    """Strings, numbers, truths and lists of them are written as in JSON."""
    return msgspec.json.encode(value).decode()


def _only_sets(text: str, before: str, tuned: TunedModel, path: Path) -> None:
    """Refuse a text that says anything else than the one before with these values."""
    wanted = tomllib.loads(before)
    table = wanted.get("models", {}).get(tuned.model, {})
    table.update({name: value for name, value in tuned.changes.items() if value is not None})
    for name in [name for name, value in tuned.changes.items() if value is None]:
        table.pop(name, None)
    try:
        fits = tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        fits = False
    if not fits:
        raise DeclarationError(
            f"the table of model '{tuned.model}' is not written in a way that can be edited safely",
            where=str(path),
            mend=f"write it yourself, under [models.{tuned.model}]: " + toml(tuned.changes).replace("\n", "; "),
        )


__all__ = ["edited", "toml", "write"]
