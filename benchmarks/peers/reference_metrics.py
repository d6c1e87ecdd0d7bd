"""Values that ranx, ir-measures and RecTools give for lists that are hard to measure: JSON for tests/measure.

Run by `python benchmarks/reference.py`, in an environment of its own (benchmarks/peers/reference.txt). Nothing of Segue
is imported here.
"""

import json
import random
import sys
import warnings

import ir_measures
import pandas as pd
import ranx
from ir_measures import AP, RR, P, R, Success, nDCG
from rectools import Columns
from rectools.metrics import (
    MAP,
    MRR,
    NDCG,
    AvgRecPopularity,
    CatalogCoverage,
    HitRate,
    MeanInvUserFreq,
    Precision,
    Recall,
)

CUTS = (1, 3, 5, 10, 20)
ITEMS = 60
KNOWN_BY = [max(1, 40 // (item + 1)) for item in range(ITEMS)]  # people who know each item, of 40


def cases():
    """Name, list, relevant items."""
    yield "short list, more relevant than places", [4, 9], [9, 1, 2]
    yield "every place a hit, many more relevant", list(range(10)), list(range(40))
    yield "perfect and as long as the truth", [7, 8, 9], [9, 8, 7]
    yield "no hit at all", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [20, 21]
    yield "one relevant, at the last place", [1, 2, 3, 4, 5, 6, 7, 8, 9, 30], [30]
    yield "one relevant, behind the third place", [1, 2, 3, 30, 5], [30]
    yield "one relevant, first", [30], [30]
    yield "hits at both ends", [40, 1, 2, 3, 4, 5, 6, 7, 8, 41], [40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51]
    yield "twenty places, five hits", list(range(20)), [3, 7, 11, 13, 19, 50]
    draw = random.Random(7)
    for number in range(30):
        listed = draw.sample(range(ITEMS), draw.randint(1, 20))
        yield f"drawn {number}", listed, sorted(draw.sample(range(ITEMS), draw.randint(1, 25)))


def main():
    rows = list(cases())
    names = [f"q{number:02}" for number in range(len(rows))]
    told = {
        "versions": {"ranx": "0.3.20", "ir-measures": ir_measures.__version__, "rectools": "0.17.0"},
        "cuts": CUTS,
        "known_by": KNOWN_BY,
        "people": 40,
        "cases": [{"name": name, "list": listed, "truth": truth} for name, listed, truth in rows],
        "ranx": of_ranx(names, rows),
        "ir-measures": of_ir_measures(names, rows),
        "rectools": of_rectools(rows),
    }
    json.dump(told, sys.stdout, indent=1)


def of_ranx(names, rows):
    qrels = ranx.Qrels(
        {name: {f"d{item:02}": 1 for item in truth} for name, (_, _, truth) in zip(names, rows, strict=True)}
    )
    run = ranx.Run(
        {
            name: {f"d{item:02}": 100.0 - rank for rank, item in enumerate(listed)}
            for name, (_, listed, _) in zip(names, rows, strict=True)
        }
    )
    metrics = [f"{name}@{k}" for name in ("recall", "precision", "ndcg", "map", "mrr", "hit_rate") for k in CUTS]
    values = ranx.evaluate(qrels, run, metrics, return_mean=False)
    return {metric: [float(value) for value in values[metric]] for metric in metrics}


def of_ir_measures(names, rows):
    ours = {"recall": R, "precision": P, "ndcg": nDCG, "map": AP, "mrr": RR, "hit_rate": Success}
    qrels = {name: {f"d{item:02}": 1 for item in truth} for name, (_, _, truth) in zip(names, rows, strict=True)}
    run = {
        name: {f"d{i:02}": 100.0 - rank for rank, i in enumerate(listed)}
        for name, (_, listed, _) in zip(names, rows, strict=True)
    }
    measures = {measure @ k: f"{name}@{k}" for name, measure in ours.items() for k in CUTS}
    found = {name: {} for name in measures.values()}
    for value in ir_measures.iter_calc(list(measures), qrels, run):
        found[measures[value.measure]][value.query_id] = float(value.value)
    return {metric: [values[name] for name in names] for metric, values in found.items()}


def of_rectools(rows):
    listed = pd.DataFrame(
        [(user, item, rank) for user, (_, items, _) in enumerate(rows) for rank, item in enumerate(items, 1)],
        columns=[Columns.User, Columns.Item, Columns.Rank],
    )
    truth = pd.DataFrame(
        [(user, item) for user, (_, _, items) in enumerate(rows) for item in items],
        columns=[Columns.User, Columns.Item],
    )
    before = pd.DataFrame(
        [(person, item) for item, count in enumerate(KNOWN_BY) for person in range(count)],
        columns=[Columns.User, Columns.Item],
    )
    kinds = {
        "recall": Recall,
        "precision": Precision,
        "ndcg": lambda k: NDCG(k=k, divide_by_achievable=True),
        "ndcg_by_k": NDCG,
        "map": MAP,
        "mrr": MRR,
        "hit_rate": HitRate,
    }
    result = {}
    for k in CUTS:
        for name, kind in kinds.items():
            values = kind(k=k).calc_per_user(listed, truth)
            result[f"{name}@{k}"] = [float(values[user]) for user in range(len(rows))]
        for name, metric in (("novelty", MeanInvUserFreq(k=k)), ("popularity", AvgRecPopularity(k=k))):
            values = metric.calc_per_user(listed, before)
            result[f"{name}@{k}"] = [float(values[user]) for user in range(len(rows))]
        result[f"coverage@{k}"] = float(CatalogCoverage(k=k, normalize=True).calc(listed, list(range(ITEMS))))
    return result


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
