"""The peer of benchmarks/learners.py: fits implicit's models on the arrays of a folder, in implicit's own environment.

Reads ARRAYS/train.npz (offsets, items), writes ARRAYS/<model>.npy (the top lists) and prints seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits


def main() -> None:
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    arrays = np.load(folder / "train.npz")
    ones = np.ones(len(arrays["items"]), np.float32)
    matrix = csr_matrix((ones, arrays["items"], arrays["offsets"]))
    people = np.arange(matrix.shape[0])
    models = {
        "item_knn, cosine": lambda: CosineRecommender(K=settings["neighbours"]),
        "item_knn, bm25": lambda: BM25Recommender(K=settings["neighbours"], K1=settings["k1"], B=settings["b"]),
        "als": lambda: AlternatingLeastSquares(
            factors=settings["factors"],
            regularization=settings["regularization"],
            alpha=1 + settings["alpha"],  # implicit's confidence is alpha, ours 1 + alpha
            iterations=settings["epochs"],
            random_state=settings["seed"],
        ),
    }
    model = models[settings["model"]]()
    with threadpool_limits(1, "blas"):  # as implicit asks for
        start = time.perf_counter()
        model.fit(matrix, show_progress=False)
        fit = time.perf_counter() - start
        start = time.perf_counter()
        top, _ = model.recommend(people, matrix, N=settings["k"], filter_already_liked_items=True)
        np.save(folder / "peer.npy", top)
        print(json.dumps({"fit": fit, "top": time.perf_counter() - start}))


main()
