"""The peer of benchmarks/top.py: implicit's lists for everybody from given factors, in implicit's own environment.

Reads ARRAYS/top.npz (queries, items, offsets, codes), writes ARRAYS/peer.npy (the lists) and prints seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits


def main() -> None:
    folder, k = Path(sys.argv[1]), int(sys.argv[2])
    arrays = np.load(folder / "top.npz")
    queries, items = arrays["queries"], arrays["items"]
    ones = np.ones(len(arrays["codes"]), np.float32)
    seen = csr_matrix((ones, arrays["codes"], arrays["offsets"]), shape=(len(queries), len(items)))
    model = AlternatingLeastSquares(factors=queries.shape[1])
    model.user_factors, model.item_factors = queries, items
    people = np.arange(len(queries))
    with threadpool_limits(1, "blas"):  # as implicit asks for
        model.recommend(people[:100], seen[:100], N=k, filter_already_liked_items=True)
        wall, processor = time.perf_counter(), time.process_time()
        top, _ = model.recommend(people, seen, N=k, filter_already_liked_items=True)
        told = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    np.save(folder / "peer.npy", top)
    print(json.dumps(told))


main()
