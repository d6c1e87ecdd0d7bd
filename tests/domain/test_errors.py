"""Errors say what, where and what next, and cross a process boundary whole."""

from __future__ import annotations

import inspect

import pytest

from segue.domain import errors
from segue.domain.errors import DataError, MissingColumn, RequestError, SegueError, UnknownName, unknown

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, SegueError)]


def test_the_sentence_has_all_three_parts():
    error = DataError("expected 3 columns, found 2", where="events.csv line 7", mend="add the column")
    assert str(error) == "events.csv line 7: expected 3 columns, found 2\n  → add the column"
    assert str(DataError("only this")) == "only this"


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_drawn_in_the_tree(kind):
    assert kind is SegueError or f"─ {kind.__name__} " in errors.__doc__


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not RequestError])
def test_an_error_is_rebuilt_whole(kind):
    error = kind("a problem", where="a place", mend="a way")
    rebuild, arguments = error.__reduce__()
    again = rebuild(*arguments)
    assert type(again) is kind
    assert str(again) == str(error)
    assert (again.problem, again.where, again.mend) == ("a problem", "a place", "a way")


def test_a_request_error_keeps_its_status():
    error = RequestError(404, "unknown-surface", "no surface is called 'hom'")
    rebuild, arguments = error.__reduce__()
    again = rebuild(*arguments)
    assert (again.status, again.code, str(again)) == (404, "unknown-surface", str(error))


def test_a_missing_column_is_a_data_error():
    with pytest.raises(DataError):
        raise MissingColumn("needs 'time'")


def test_an_unknown_name_offers_the_nearest():
    error = unknown("surface", "hom", ["home", "search"], where="segue.toml")
    assert isinstance(error, UnknownName)
    assert "did you mean 'home'? known: home, search" in str(error)
    assert "did you mean" not in str(unknown("surface", "zzzz", ["home"]))
    assert "there is no surface yet" in str(unknown("surface", "home", []))
    assert "run `segue train` first" in str(unknown("trained model", "ease", []))
