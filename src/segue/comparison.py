"""Lists of several models side by side, for the same people, with reasons: for a terminal and a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from segue.recommendations import Recommendations


@dataclass(frozen=True, repr=False)
class Comparison:
    """For every person the list of every model; `past` is what the person did last, newest first, by title."""

    models: tuple[str, ...]
    lists: Mapping[str, Mapping[str, Recommendations]]
    past: Mapping[str, Sequence[str]]

    def __repr__(self) -> str:
        return f"<{' and '.join(self.models)} for {len(self.lists)} people>"

    def overlap(self, user: str) -> float:
        """The share of items that two models' lists of this person have in common, as a mean over pairs of models.

        Two empty lists are the same list: 1.0. An empty one and one with items have nothing in common: 0.0.
        """
        sets = [set(self.lists[user][model]) for model in self.models]
        pairs = [(one, two) for place, one in enumerate(sets) for two in sets[place + 1 :]]
        shares = [len(one & two) / len(one | two) if one | two else 1.0 for one, two in pairs]
        return sum(shares) / len(shares) if shares else 1.0

    def notes(self) -> list[str]:
        """Which lists are not of the model that they stand under, and why."""
        return [
            f"{user}, {model}: {listed.fallback}"
            for user, lists in self.lists.items()
            for model, listed in lists.items()
            if listed.fallback
        ]

    def rows(self, *, explain: bool = False) -> list[dict[str, Any]]:
        """One row for each person and position, one column a model; with the reasons where asked for."""
        rows = []
        for user, lists in self.lists.items():
            told = {model: lists[model].rows() for model in self.models}
            for position in range(max(map(len, told.values()), default=0)):
                row: dict[str, Any] = {"person": user, "position": position + 1}
                for model, items in told.items():
                    item = items[position] if position < len(items) else None
                    row[model] = item["title"] if item else ""
                    if explain:
                        row[f"{model}, why"] = item["reason"] if item else ""
                rows.append(row)
        return rows

    def _repr_html_(self) -> str:
        """The lists as a notebook shows them; items that only one model has stand out."""
        notes = "".join(f"<p style='color:#b60'>{escape(note)}</p>" for note in self.notes())
        return "".join(self._person(user) for user in self.lists) + notes

    def _person(self, user: str) -> str:
        lists = self.lists[user]
        heads = "".join(f"<th style='text-align:left'>{escape(model)}</th>" for model in self.models)
        columns = [[self._cell(row, lists) for row in lists[model].rows()] for model in self.models]
        longest = max(map(len, columns), default=0)
        body = "".join(
            "<tr>" + "".join(column[line] if line < len(column) else "<td></td>" for column in columns) + "</tr>"
            for line in range(longest)
        )
        past = ", ".join(escape(title) for title in self.past.get(user, ())) or "nothing yet"
        shared = f"{self.overlap(user):.0%} of the items are shared" if len(self.models) > 1 else ""
        return (
            f"<h4>{escape(user)}</h4><p style='color:#888'>did last: {past}. {shared}</p>"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _cell(self, row: Mapping[str, Any], lists: Mapping[str, Recommendations]) -> str:
        alone = sum(row["item"] in list(lists[model]) for model in self.models) == 1
        title = escape(row["title"])
        shown = f"<b>{title}</b>" if alone else title
        why = f"<br><small style='color:#888'>{escape(row['reason'])}</small>"
        return f"<td style='vertical-align:top;text-align:left'>{shown}{why}</td>"
