"""X'X of a CSR matrix by sparse_dot_mkl, into a dense upper triangle: processor and wall seconds as JSON.

python gram_peer.py FOLDER    # with offsets.npy, codes.npy; the number of items is one more than the largest code
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from sparse_dot_mkl import gram_matrix_mkl

folder = Path(sys.argv[1])
offsets, codes = np.load(folder / "offsets.npy").astype(np.int32), np.load(folder / "codes.npy")
matrix = csr_array((np.ones(len(codes), np.float32), codes, offsets), shape=(len(offsets) - 1, int(codes.max()) + 1))
wall, processor = time.perf_counter(), time.process_time()
gram = gram_matrix_mkl(matrix, dense=True)
told = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
print(json.dumps(told | {"diagonal": float(gram.diagonal().astype(np.float64).sum())}))
