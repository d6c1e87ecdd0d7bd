"""24 ranking metrics of 20,000 people: processor seconds of Segue and, in the same run, of RecTools.

    python benchmarks/metrics.py

The first run makes `.cache/peers-metrics` with uv from `benchmarks/peers/metrics.txt`; where that fails it says so and
times Segue alone. Both compute the same definitions from data that are in memory in each one's own shape, and the
means are compared before anything is said about speed. Best of ten rounds each. Segue looks for ties, as it does in an
evaluation; RecTools has no scores. A second line is of lists every tenth of which is tied throughout, two by two.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from segue.domain.requests import Histories
from segue.measure.metrics import accuracy
from segue.measure.ties import Ties

PEOPLE, ITEMS, LENGTH, RELEVANT = 20_000, 26_700, 20, 20
CUTS = (1, 5, 10, 20)
ROUNDS = 10
HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / ".cache" / "peers-metrics" / "venv"


def main() -> None:
    lists, truth = _people(np.random.default_rng(0))
    seconds, values = _segue(lists, truth, _scores(tied=0))
    some_tied, _ = _segue(lists, truth, _scores(tied=PEOPLE // 10))
    print(f"{len(values)} metrics of {PEOPLE:,} people, lists of {LENGTH}, {RELEVANT} relevant items each")
    print(f"segue     {seconds:8.4f} s; {some_tied:.4f} s where every tenth list is tied")
    peer = _peer(lists, truth)
    if peer is None:
        return
    apart = max(abs(values[name] - peer["values"][name]) for name in values)
    times, tied_times = peer["seconds"] / seconds, peer["seconds"] / some_tied
    print(
        f"rectools  {peer['seconds']:8.4f} s   {times:.0f} x, {tied_times:.0f} x; means differ by at most {apart:.1e}"
    )
    if apart > 1e-9:
        raise SystemExit("the two do not compute the same metrics: the ratio means nothing")


def _people(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """int32[people, length] twice: lists and relevant items, the popular ones likelier in both, none twice in a row."""
    drawn = random.choice(ITEMS, (PEOPLE, 4 * (LENGTH + RELEVANT)), p=_popularity())
    rows = [row[np.sort(np.unique(row, return_index=True)[1])] for row in drawn]
    lists = np.array([row[:LENGTH] for row in rows], np.int32)
    truth = np.array([random.permutation(row[: 2 * RELEVANT])[:RELEVANT] for row in rows], np.int32)
    return lists, truth


def _popularity() -> np.ndarray:
    weights = 1 / np.arange(1, ITEMS + 1) ** 0.8
    return weights / weights.sum()


def _scores(tied: int) -> Ties:
    """Scores that fall with every rank, but for `tied` people, whose fall with every second."""
    scores = np.tile(np.arange(LENGTH, 0, -1, dtype=np.float32), (PEOPLE, 1))
    scores[:tied] //= 2
    return Ties(scores, np.zeros(PEOPLE, np.int64), Histories.of([[]] * PEOPLE))


def _segue(lists: np.ndarray, truth: np.ndarray, ties: Ties) -> tuple[float, dict[str, float]]:
    relevant = Histories.of(list(truth))
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        means = {name: float(value.mean()) for name, value in accuracy(lists, relevant, CUTS, ties).items()}
        seconds.append(time.process_time() - began)
    return min(seconds), means


def _peer(lists: np.ndarray, truth: np.ndarray) -> dict | None:
    try:
        python = _environment()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"rectools  not beside: its environment could not be made ({error})")
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "lists.npy", lists)
        np.save(folder / "truth.npy", truth)
        (folder / "cuts.json").write_text(json.dumps(CUTS))
        command = [python, HERE / "peers" / "rectools_metrics.py", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _environment() -> Path:
    python = PEERS / "bin" / "python"
    if not (PEERS / "complete").exists():
        subprocess.run(["uv", "venv", "-q", "--clear", "--python", "3.11", PEERS], check=True)
        wanted = HERE / "peers" / "metrics.txt"
        subprocess.run(["uv", "pip", "install", "-q", "--python", python, "-r", wanted], check=True)
        (PEERS / "complete").touch()
    return python


if __name__ == "__main__":
    main()
