"""Fits every learner with as many threads as the command line says, and saves what each says of the same people.

python -m tests.learn.threads THREADS FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

THREADS, FOLDER = int(sys.argv[1]), Path(sys.argv[2])
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = str(THREADS)

import numpy as np  # noqa: E402

from segue.domain.requests import Histories, Requests  # noqa: E402
from segue.engines.local import LocalEngine  # noqa: E402
from segue.learn.learner import learner, learners  # noqa: E402
from segue.testing.datasets import mixed  # noqa: E402
from segue.testing.recommender import saved_bytes  # noqa: E402


def main() -> None:
    dataset = mixed(seed=2, users=1500, items=700, rows=60_000)
    random = np.random.default_rng(0)
    asked = Requests(Histories.of([random.choice(700, size, replace=False) for size in (1, 5, 40, 200)]))
    for name in learners():
        model = learner(name, {}).fit(LocalEngine(threads=THREADS, partitions=THREADS), dataset)
        np.savez(
            FOLDER / f"{name}-{THREADS}.npz",
            scores=model.scores(asked),
            saved=np.frombuffer(b"".join(saved_bytes(model).values()), np.uint8),
        )


if __name__ == "__main__":
    main()
