"""The peers of benchmarks/neighbours.py: item neighbours of implicit or lenskit, in an environment of their own.

Reads ARRAYS/train.npz (offsets, items), writes ARRAYS/peer.npz (the likest of each item, -1 behind) and prints seconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix


def main() -> None:
    folder, which, k = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    arrays = np.load(folder / "train.npz")
    people = len(arrays["offsets"]) - 1
    ones = np.ones(len(arrays["items"]), np.float32)
    matrix = csr_matrix((ones, arrays["items"], arrays["offsets"]), shape=(people, int(arrays["items"].max()) + 1))
    wall, processor, found = {"implicit": of_implicit, "lenskit": of_lenskit}[which](matrix, k)
    lines = found.tocsr()
    near = np.full((matrix.shape[1], k), -1, np.int32)
    for item in range(matrix.shape[1]):
        its = slice(lines.indptr[item], lines.indptr[item + 1])
        codes, values = lines.indices[its], lines.data[its]
        codes, values = codes[codes != item], values[codes != item]
        best = codes[np.argsort(-values, kind="stable")][:k]
        near[item, : len(best)] = best
    np.save(folder / "peer.npy", near)
    print(json.dumps({"wall": wall, "processor": processor}))


def of_implicit(matrix: csr_matrix, k: int) -> tuple[float, float, Any]:
    """Its cosine keeps the item itself among the neighbours, so one more."""
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=k + 1)
    wall, processor = time.perf_counter(), time.process_time()
    model.fit(matrix, show_progress=False)
    return time.perf_counter() - wall, time.process_time() - processor, model.similarity


def of_lenskit(matrix: csr_matrix, k: int) -> tuple[float, float, Any]:
    import pandas as pd
    from lenskit.data import from_interactions_df
    from lenskit.knn import ItemKNNScorer

    coo = matrix.tocoo()
    data = from_interactions_df(pd.DataFrame({"user_id": coo.row, "item_id": coo.col}))
    model = ItemKNNScorer(max_nbrs=k, save_nbrs=k, min_sim=1e-9, feedback="implicit")
    wall, processor = time.perf_counter(), time.process_time()
    model.train(data)
    told = time.perf_counter() - wall, time.process_time() - processor
    likest = model.sim_matrix
    if not hasattr(likest, "tocsr"):
        likest = likest.to_scipy()
    ids = model.items.ids().astype(np.int64)
    coo = likest.tocoo()
    return *told, csr_matrix((coo.data, (ids[coo.row], ids[coo.col])), shape=(matrix.shape[1],) * 2)


main()
