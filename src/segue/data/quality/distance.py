"""How far two sets of counts in the same bins are apart: PSI, KS and Jensen-Shannon, defined once for all who ask."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]

HALF = 0.5  # a row, added to each bin for PSI: what Jeffreys' prior is worth (Krichevsky and Trofimov, 1981)


def statistics(name: str, before: Counts, later: Counts) -> Counts:
    """PSI (natural logarithm), KS, or the Jensen-Shannon divergence in bits, of counts in the same bins (last axis).

    >>> round(float(statistics("psi", np.array([5000.0, 5000.0]), np.array([9000.0, 1000.0]))), 3)
    0.879
    >>> float(statistics("js", np.array([1.0, 0.0]), np.array([0.0, 1.0])))
    1.0
    """
    if name == "psi":
        return np.asarray(stability_parts(before, later).sum(-1))
    p, q = _shares(before), _shares(later)
    if name == "ks":
        return np.asarray(np.abs(p.cumsum(-1) - q.cumsum(-1)).max(-1))
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(side > 0, side * np.log2(side / middle), 0.0).sum(-1) for side in (p, q)]
    return np.asarray((parts[0] + parts[1]) / 2)


def stability_parts(before: Counts, later: Counts) -> Counts:
    """What each bin contributes to the population stability index, which is their sum: (q - p) ln(q / p) of shares p
    and q (Siddiqi, Credit Risk Scorecards, 2006; Jeffreys' divergence). Shape as `before`.

    Half a row is added to each bin, as the logarithm has no end where one side is empty; a bin that is empty on both
    sides is none.

    >>> stability_parts(np.array([5000.0, 0.0, 5000.0]), np.array([9000.0, 0.0, 1000.0])).round(3).tolist()
    [0.235, 0.0, 0.644]
    """
    there = before + later > 0
    p, q = (_shares(np.where(there, side + HALF, 0.0)) for side in (before, later))
    p, q = np.where(there, p, 1.0), np.where(there, q, 1.0)
    return np.asarray((q - p) * np.log(q / p))


def _shares(counts: Counts) -> Counts:
    return np.asarray(counts / counts.sum(-1, keepdims=True))
