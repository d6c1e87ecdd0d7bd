"""What tables look like where there is little room."""

from __future__ import annotations

import pytest

from segue.commands.terminal import WIDTH, least_width, table

ROW = {
    "model": "popularity",
    **dict.fromkeys(("recall@10", "precision@10", "ndcg@10"), 0.12345),
    "interval": "0.1785 to 0.2696",
    "against popularity": "-0.0263 (-0.0730 to +0.0198)",
    "p": "",
    **dict.fromkeys(("map@10", "mrr@10", "hit_rate@10", "novelty@10", "coverage@10", "fit_seconds"), 0.12345),
    **dict.fromkeys(("megabytes", "us_per_person"), 123.4),
}


def test_a_wide_table_breaks_its_heads_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert least_width([ROW]) <= WIDTH
    table([ROW], title="wide")
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= WIDTH
    assert {word for name in ROW for word in name.replace("_", " ").split()} <= set(text.split())
    assert text.split().count("0.1235") == 9


def test_what_fits_in_no_way_is_folded_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    long = {f"name{number}": "x" * 20 for number in range(20)}
    table([long], title="too wide")
    assert capsys.readouterr().out.count("x") == 20 * 20
