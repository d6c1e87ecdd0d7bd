"""kill -9 at random moments of ingest, compaction and drain: afterwards the lake holds the truth, row by row.

`SEGUE_KILLS=200` kills so many times; a tenth of that where it is not said.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from segue.data.journal.journal import SQLiteJournal
from segue.data.lake.lake import Lake
from tests.data_lake import killed
from tests.data_lake.test_journal import decision
from tests.data_lake.world import START, event, moment
from tests.waiting import waiting

KILLS = int(os.environ.get("SEGUE_KILLS", "40"))
LONGEST_S = 0.5  # after which a step is killed at the latest


class Truth:
    """What was given to the lake: files, events and decisions of the journal; and what must be in it therefore."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = random.Random(7)
        self.events: dict[str, tuple[str, str]] = {}
        self.of_files: list[str] = []
        self.refused: set[tuple[str, int]] = set()
        self.decisions: set[str] = set()
        self.prices: dict[str, float] = {}
        self.journal = SQLiteJournal(folder / "journal")
        self.rounds = 0

    def grow(self) -> None:
        """One more file of events with ids of its own, some that came before and some refusals; a catalog; a journal
        that goes on."""
        self.rounds += 1
        name = f"events-{self.rounds:04d}.csv"
        lines = ["id,user,item,time"]
        for line in range(2, 150):
            new = self.random.random() > 0.05 or not self.of_files
            identifier = f"{self.random.getrandbits(64):x}" if new else self.random.choice(self.of_files)
            user, item = f"u{self.random.randrange(40)}", f"i{self.random.randrange(60)}"
            if self.random.random() < 0.03:
                lines.append(f"{identifier},{user},{item},whenever")
                self.refused.add((name, line))
                continue
            day = START + timedelta(days=self.random.randrange(3))
            lines.append(f"{identifier},{user},{item},{day.isoformat()}")
            self.events.setdefault(identifier, (user, item))
            self.of_files.append(identifier)
        (self.folder / name).write_text("\n".join(lines) + "\n")
        catalog = [f"i{n},{self.rounds + n}" for n in range(60)]
        (self.folder / f"items-{self.rounds:04d}.csv").write_text("id,price\n" + "\n".join(catalog) + "\n")
        self.prices = {f"i{n}": float(self.rounds + n) for n in range(60)}
        sent = [event(1_000_000 + self.rounds * 100 + n, f"u{n % 9}") for n in range(70)]
        self.journal.append(sent, moment(self.rounds))
        self.events |= {each.id: (each.user or "", each.item or "") for each in sent}
        made = [decision(f"d{self.rounds}-{n}", request=f"{self.rounds}-{n}") for n in range(7)]
        self.journal.record(made)
        self.journal.sync()
        self.decisions |= {each.id for each in made}

    def held(self, lake: Lake) -> None:
        """Nothing is there twice, and nothing that was never given."""
        rows = lake.snapshot().events().select("id", "user", "item").collect()
        assert rows["id"].is_unique().all()
        refused = lake.snapshot().quarantine().select("file", "line").collect().rows()
        assert max(Counter(refused).values(), default=1) == 1
        assert set(refused) <= self.refused

    def whole(self, lake: Lake) -> None:
        """All that was given is there, row by row."""
        snapshot = lake.snapshot()
        rows = snapshot.events().select("id", "user", "item").collect()
        assert dict(zip(rows["id"], zip(rows["user"], rows["item"], strict=True), strict=True)) == self.events
        assert rows.height == len(self.events)
        assert sorted(snapshot.quarantine().select("file", "line").collect().rows()) == sorted(self.refused)
        decisions = snapshot.decisions().select("id").collect()["id"].to_list()
        assert sorted(decisions) == sorted(self.decisions)
        assert {item.id: item.price for item in snapshot.catalog().values()} == self.prices
        assert lake.tables["items"].files()["num_records"].sum() == 60 * self.rounds


def told(process: subprocess.Popen[str], step: str, seconds: float) -> str:
    """What became of a step that is killed after so many seconds."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{step} {seconds}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@pytest.mark.slow
def test_the_lake_holds_the_truth_whenever_who_writes_it_is_killed(tmp_path: Path) -> None:
    truth, ends = Truth(tmp_path), Counter[tuple[str, str]]()
    with waiting("tests.data_lake.killed", tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        kills = 0
        while kills < KILLS:
            truth.grow()
            for step in ("ingest", "drain", "compact"):
                for _ in range(2):
                    end = told(process, step, truth.random.uniform(0.0, LONGEST_S))
                    ends[step, end] += 1
                    assert end != "ended 1", f"{step} failed after a kill"
                    kills += end == "killed"
                    if end != "killed":
                        break
                truth.held(Lake(tmp_path / "lake"))
        for step in ("ingest", "drain", "compact"):
            assert told(process, step, 300) == "ended 0"
    truth.whole(Lake(tmp_path / "lake"))
    assert min(ends[step, "killed"] for step in killed.STEPS) > KILLS // 10, ends
    truth.journal.close()
    sys.stderr.write(f"{kills} kills: {dict(ends)}\n")
