"""What data may make `segue check --propose --write` write: rules, and nothing else, whatever strangers sent."""

from __future__ import annotations

import math
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segue.data.lake.lake import Lake
from segue.data.quality.history import said
from segue.data.quality.propose import Proposal, _above, _listed, _Told, propose, write
from segue.data.settings import Rule
from segue.domain.errors import DeclarationError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BEFORE = '# mine\n[storage]\nendpoint = "https://here"\n\n[[rules]]\ntable = "events"\nrule = "null"\ncolumn = "type"\n'
EVIL = 'x\n[storage]\nendpoint = "http://evil"\n#'


@settings(max_examples=40)
@given(texts=st.lists(st.text(max_size=12), min_size=1, max_size=8, unique=True))
@example(texts=[EVIL])
@example(texts=[EVIL.replace("\n", end) for end in ("\r", "\r\n", "\x85", "\u2028", "\u2029", "\x0b", "\x0c")])
@example(texts=["\x7f", "\x00", "\x1b[2J", '"""', "\\", "\\u0041"])
def test_no_text_in_the_data_writes_anything_but_its_rule(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("declared") / "segue.toml"
    path.write_text(BEFORE, encoding="utf-8")
    proposals = list(_listed(pl.LazyFrame({"type": texts}), "events", "type"))
    write(path, proposals, NOW)
    written, old = tomllib.loads(path.read_text(encoding="utf-8")), tomllib.loads(BEFORE)
    assert written["storage"] == old["storage"]
    assert set(written) == set(old)
    assert [rule.get("values") for rule in written["rules"]] == [None, sorted(texts)]
    comment = proposals[0].toml().splitlines()[0]
    assert comment.startswith("# all there are")
    assert comment.isprintable() or any(each in comment for text in texts for each in text)
    assert len(proposals[0].toml().splitlines()) == 1 + 1 + len(said(proposals[0].rule))


def test_a_file_that_would_say_something_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "segue.toml"
    proposal = Proposal(Rule(table="events", rule="null", column="item"), "")
    for before in ("rules = []\n", "[storage\n"):
        path.write_text(before, encoding="utf-8")
        with pytest.raises(DeclarationError, match="no TOML"):
            write(path, [proposal], NOW)
        assert path.read_text(encoding="utf-8") == before


def test_bounds_are_of_what_is_finite() -> None:
    cells = [1.0, 3.0, math.inf, -math.inf, math.nan]
    (proposal,) = _Told(pl.LazyFrame({"value": cells})).bounds("events", "value")
    assert (proposal.rule.min, proposal.rule.max) == (0.0, 6.0)
    assert not list(_Told(pl.LazyFrame({"value": cells[2:]})).bounds("events", "value"))


@given(number=st.floats(allow_nan=False))
@example(number=math.inf)
@example(number=sys.float_info.max)
@example(number=5e-324)
def test_a_bound_is_above_and_finite(number: float) -> None:
    assert math.isfinite(_above(number))
    assert _above(number) >= min(number, sys.float_info.max) - abs(number) * 1e-9


def test_of_a_log_that_has_ended_no_freshness_is_asked(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    days = pl.DataFrame({"id": [f"e{n}" for n in range(40)], "type": "view", "user": "ann", "item": "x"}).with_columns(
        time=pl.lit(NOW) - pl.duration(days=pl.int_range(40))
    )
    lake.append_events(days, "days")
    now_and_later = (propose(lake.snapshot(), NOW + timedelta(days=later)) for later in (0, 30))
    asked = [{each.rule.rule for each in proposals} for proposals in now_and_later]
    assert asked[0] - asked[1] == {"freshness"}


@pytest.mark.slow
def test_a_few_times_that_were_read_wrong_do_not_bend_what_is_proposed(tmp_path: Path) -> None:
    times = [NOW - timedelta(hours=6 * step) for step in range(4 * 60)] + [datetime(1970, 1, 21, tzinfo=UTC)] * 2
    count = len(times)
    frame = pl.DataFrame(
        {
            "id": [f"e{number}" for number in range(count)],
            "user": [f"u{number % 40}" for number in range(count)],
            "item": [f"i{number % 25}" for number in range(count)],
            "type": ["view"] * count,
            "time": times,
            "received": [NOW] * count,
        }
    )
    lake = Lake(tmp_path / "lake")
    lake.append_events(frame, "events")
    rules = {proposal.rule.rule: proposal for proposal in propose(lake.snapshot(), NOW)}
    assert rules["freshness"].rule.within == "2d"
    assert "2 rows more than 90 days from all others" in rules["time_range"].evidence
    assert rules["time_range"].rule.min == "2026-01-01"
    assert all(proposal.rule.threshold <= 0.5 for proposal in rules.values())
    assert rules["drift"].rule.reference.startswith("2026-04")
