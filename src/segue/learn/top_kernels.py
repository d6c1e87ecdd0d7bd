"""The compiled selection of the best k of each row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, int32, int64, void

from segue.engines.compiled import array, compiled


@compiled(void(float32[::1], int32[::1], int64, float32, int32))
def replace_worst(
    heap: npt.NDArray[np.float32], held: npt.NDArray[np.int32], size: int, score: float, position: int
) -> None:
    """Put (score, position) in the place of the worst, which is on top, and sift it down.

    Of equal scores the later position is the worse.
    """
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        right = below + 1
        if right < size and (heap[right] < heap[below] or (heap[right] == heap[below] and held[right] > held[below])):
            below = right
        if not (heap[below] < score or (heap[below] == score and held[below] > position)):
            break
        heap[at], held[at] = heap[below], held[below]
        at = below
    heap[at], held[at] = score, position


@compiled(int64(float32[::1], int32[::1], int64, float32, int32))
def offer(heap: npt.NDArray[np.float32], held: npt.NDArray[np.int32], size: int, score: float, position: int) -> int:
    """Take (score, position) in where it is among the best; how many are held then. The worst of a full heap is on top.

    In whatever order they are offered, those that stay are the best, of equal scores those of the first positions.
    """
    if size == len(heap):
        if score > heap[0] or (score == heap[0] and position < held[0]):
            replace_worst(heap, held, size, score, position)
        return size
    at = size
    while at > 0:  # sift up
        above = (at - 1) // 2
        if heap[above] < score or (heap[above] == score and held[above] > position):
            break
        heap[at], held[at] = heap[above], held[above]
        at = above
    heap[at], held[at] = score, position
    return size + 1


@compiled(void(float32[::1], int32[::1], int64))
def sort_best_first(heap: npt.NDArray[np.float32], held: npt.NDArray[np.int32], size: int) -> None:
    """Heap sort: the worst goes to the end."""
    for last in range(size - 1, 0, -1):
        score, position = heap[last], held[last]
        heap[last], held[last] = heap[0], held[0]
        replace_worst(heap, held, last, score, position)


@compiled(void(array(float32, 2), int32[:, ::1], float32[:, ::1]))
def select(scores: npt.NDArray[np.float32], positions: npt.NDArray[np.int32], values: npt.NDArray[np.float32]) -> None:
    """Fill each row with its best; the rows come filled with -1 and -inf.

    A heap of the k best so far, the worst on top. Positions come in ascending order, so one that only equals the
    worst never gets in: ties go by position.
    """
    rows, count = scores.shape
    k = positions.shape[1]
    for row in range(rows):
        heap, held = values[row], positions[row]
        size = 0
        worst = np.float32(-np.inf)
        for position in range(count):
            score = scores[row, position]
            if not score > worst:
                continue
            size = offer(heap, held, size, score, np.int32(position))
            if size == k:
                worst = heap[0]
        sort_best_first(heap, held, size)
