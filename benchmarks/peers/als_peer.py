"""The peers of benchmarks/als.py: sweeps of implicit or lenskit over the arrays of a folder, in their own environment.

`als_peer.py FOLDER SETTINGS` reads FOLDER/pairs.npz, saves the factors as FOLDER/peer.npz, prints seconds as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits


def main() -> None:
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    arrays = np.load(folder / "pairs.npz")
    first = np.load(folder / "first.npy").copy()
    people = np.zeros((len(arrays["user_offsets"]) - 1, first.shape[1]), np.float32)
    half = {"implicit cg": implicit_gradients, "implicit": implicit_exact, "lenskit": lenskit_exact}[settings["peer"]]
    sweep = half(arrays, settings)
    seconds, processor = [], []
    with threadpool_limits(1, "blas"):  # as implicit asks for
        for _ in range(settings["sweeps"]):
            began = time.perf_counter(), time.process_time()
            sweep(people, first)
            seconds.append(time.perf_counter() - began[0])
            processor.append(time.process_time() - began[1])
    np.savez(folder / "peer.npz", people=people, items=first)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": min(seconds), "processor": min(processor), "peak": peak / 1e6}))


def matrices(arrays: Any, value: float) -> tuple[Any, Any]:
    """Both ways round, with one value for every pair."""
    sides = []
    for side, other in (("user", "item"), ("item", "user")):
        offsets, codes = arrays[f"{side}_offsets"], arrays[f"{side}_codes"]
        shape = len(offsets) - 1, len(arrays[f"{other}_offsets"]) - 1
        sides.append(csr_matrix((np.full(len(codes), value, np.float32), codes, offsets), shape=shape))
    return sides[0], sides[1]


def implicit_gradients(arrays: Any, settings: dict[str, Any]) -> Callable[..., None]:
    from implicit.cpu._als import least_squares_cg

    by_user, by_item = matrices(arrays, 1 + settings["alpha"])
    ridge, threads = settings["regularization"], settings["threads"]

    def sweep(people: Any, items: Any) -> None:
        least_squares_cg(by_user, people, items, ridge, threads, 3)
        least_squares_cg(by_item, items, people, ridge, threads, 3)

    return sweep


def implicit_exact(arrays: Any, settings: dict[str, Any]) -> Callable[..., None]:
    from implicit.cpu._als import least_squares

    by_user, by_item = matrices(arrays, 1 + settings["alpha"])
    ridge, threads = settings["regularization"], settings["threads"]

    def sweep(people: Any, items: Any) -> None:
        least_squares(by_user, people, items, ridge, threads)
        least_squares(by_item, items, people, ridge, threads)

    return sweep


def lenskit_exact(arrays: Any, settings: dict[str, Any]) -> Callable[..., None]:
    from lenskit._accel import als
    from lenskit.als._implicit import _implicit_otor
    from lenskit.data.matrix import SparseRowArray
    from lenskit.logging import item_progress

    sides = [SparseRowArray.from_scipy(side) for side in matrices(arrays, settings["alpha"])]

    def sweep(people: Any, items: Any) -> None:
        for matrix, left, right in ((sides[0], people, items), (sides[1], items, people)):
            with item_progress("", len(left)) as bar:
                shared = _implicit_otor(right, settings["regularization"])
                als.train_implicit_matrix(matrix, left, right, shared, bar)

    return sweep


main()
