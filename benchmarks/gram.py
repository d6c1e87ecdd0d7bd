"""The item Gram against SciPy and sparse_dot_mkl, the inverse of EASE against NumPy's and the machine's sgemm rate.

    python benchmarks/gram.py [--people 138000] [--items 26700] [--rows 18000000] [--arrays FILE]
                              [--sizes 1000 2000 4000 8000]

SciPy is run on a sample of the people (--share), and its seconds are extrapolated by how many pairs of items the sample
has, as its full product takes minutes. Seconds are of the wall clock, with processor seconds beside: on a shared
machine the second say more. Rates count 2 n**3 operations for a product of two n x n matrices, and n**3 for the
inverse of a symmetric one (Cholesky a third, what follows two).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from environment import environment
from segue.learn.ease import ease_weights
from segue.learn.gram import gram_of_rows
from segue.learn.warm import warm
from synthetic import interactions

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".cache" / "gram-peers"

Rows = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]


def main() -> None:
    said = _arguments()
    warm()
    if not said.no_gram:
        print_grams(_rows(said), said.share)
    print_inverses(said.sizes)


def print_grams(rows: Rows, share: float) -> None:
    """Ours, MKL's and SciPy's, with the ratio to ours."""
    offsets, codes = rows
    items = int(codes.max()) + 1
    print(f"X'X of {len(offsets) - 1:,} people, {items:,} items, {len(codes):,} interactions, {os.cpu_count()} cores")
    tries = []
    for _ in range(2):  # the first also waits until the machine finds memory for the result
        seconds, gram = timed(lambda: gram_of_rows(offsets, codes, items))
        assert gram.diagonal().sum() == len(codes)
        del gram
        tries.append(seconds)
    ours = min(tries, key=lambda seconds: seconds["wall"])
    _print_row("segue", ours, ours)
    _print_row("sparse_dot_mkl, dense", mkl(rows), ours)
    _print_row(f"scipy, from {share:.0%} of the people", scipy_extrapolated(rows, share), ours)


def scipy_extrapolated(rows: Rows, share: float) -> dict[str, float]:
    """SciPy's seconds for all, from a sample of the people."""
    offsets, codes = rows
    sampled = np.flatnonzero(np.random.default_rng(0).random(len(offsets) - 1) < share)
    whole = csr_array((np.ones(len(codes), np.float32), codes, offsets))
    sample = whole[sampled]
    lengths = np.diff(offsets).astype(np.float64)
    factor = float((lengths**2).sum() / (lengths[sampled] ** 2).sum())
    seconds, _ = timed(lambda: sample.T.tocsr() @ sample)
    return {name: value * factor for name, value in seconds.items()}


def mkl(rows: Rows) -> dict[str, float]:
    """What sparse_dot_mkl takes, in an environment of its own."""
    python = environment("gram-peers", "gram.txt")
    with tempfile.TemporaryDirectory() as folder:
        for name, array in zip(("offsets", "codes"), rows, strict=True):
            np.save(Path(folder) / f"{name}.npy", array)
        script = ROOT / "benchmarks" / "peers" / "gram_peer.py"
        runtime = next((PEERS / "lib").glob("libmkl_rt.so*"))  # it looks for other names than this version has
        variables = {**os.environ, "MKL_RT": str(runtime)}
        command = [python, script, folder]
        answer = subprocess.run(command, check=True, capture_output=True, text=True, env=variables).stdout
    told: dict[str, float] = json.loads(answer.splitlines()[-1])
    assert told.pop("diagonal") == len(rows[1])
    return told


def print_inverses(sizes: list[int]) -> None:
    """Seconds and rates of B from the Gram, of np.linalg.inv and of a product, and the exponent of ours in items."""
    names = ("items", "EASE s", "GFLOP/s", "sgemm GFLOP/s", "np.linalg.inv s", "times faster")
    print(" ".join(f"{name:>15}" for name in names))
    spent = []
    for size in sizes:
        random = np.random.default_rng(0)
        values = random.standard_normal((size, size), np.float32)
        gram = np.triu(np.abs(values * 20).astype(np.int32))
        np.fill_diagonal(gram, 40 * size)
        product, _ = timed(lambda values=values: values @ values)
        whole = (np.triu(gram) + np.triu(gram, 1).T).astype(np.float32)
        numpys, _ = timed(lambda whole=whole: np.linalg.inv(whole)) if size <= 10_000 else ({"wall": np.nan}, None)
        del whole
        ours, _ = timed(lambda gram=gram, size=size: ease_weights(gram, np.full(size, 300.0)))
        spent.append(ours["wall"])
        rates = (size**3 / ours["wall"] / 1e9, 2 * size**3 / product["wall"] / 1e9)
        told = [f"{size:15}", *(f"{value:15.2f}" for value in (ours["wall"], *rates, numpys["wall"]))]
        print(*told, f"{numpys['wall'] / ours['wall']:15.1f}", flush=True)
    if len(sizes) > 1:
        print(f"seconds grow with items to the power of {np.polyfit(np.log(sizes), np.log(spent), 1)[0]:.2f}")


def timed(work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Wall and processor seconds, and what came of it."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}, result


def _rows(said: argparse.Namespace) -> Rows:
    if said.arrays is not None:
        with np.load(said.arrays) as arrays:
            users, items = arrays["u"], arrays["i"]
    else:
        users, items = interactions(said.people, said.items, said.rows, 0)
    counts = np.bincount(users, minlength=said.people)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), items.astype(np.int32)


def _print_row(name: str, seconds: dict[str, float], ours: dict[str, float]) -> None:
    ratios = [f"{seconds[kind] / ours[kind]:6.1f} x" for kind in ("wall", "processor")]
    told = f"{seconds['wall']:8.1f} s wall, {seconds['processor']:8.1f} s processor"
    print(f"{name:32} {told}, segue's {ratios[0]} {ratios[1]}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=138_000)
    parser.add_argument("--items", type=int, default=26_700)
    parser.add_argument("--rows", type=int, default=18_000_000)
    parser.add_argument("--share", type=float, default=0.05, help="of the people, for SciPy")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 2000, 4000, 8000])
    parser.add_argument("--arrays", type=Path, help="an .npz of u and i, interactions made earlier")
    parser.add_argument("--no-gram", action="store_true", help="only the inverse")
    return parser.parse_args()


if __name__ == "__main__":
    main()
