"""The registry: names and parameters that cannot be are refused with the nearest that can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import segue.learn
from segue.domain.errors import DataError, DeclarationError, UnknownName
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine
from segue.learn import warm as module
from segue.learn.als import ALS
from segue.learn.ease import EASE
from segue.learn.item_knn import ItemKNN
from segue.learn.learner import Counted, Learner, learner, learners
from segue.learn.popularity import Popularity
from segue.learn.warm import KERNELS
from segue.testing.datasets import mixed


def test_the_built_in_ones_come_by_the_entry_points() -> None:
    assert {"als": ALS, "ease": EASE, "item_knn": ItemKNN, "popularity": Popularity}.items() <= learners().items()
    assert {name: kind.name for name, kind in learners().items()} == {name: name for name in learners()}


def test_parameters_are_typed() -> None:
    assert learner("als", {"factors": 8, "alpha": 2}) == ALS(factors=8, alpha=2.0)


def test_an_unknown_learner_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no learner is called 'eese'\n.*did you mean 'ease'"):
        learner("eese", {})


def test_an_unknown_parameter_offers_the_nearest() -> None:
    with pytest.raises(DeclarationError, match=r"no parameter of als is called 'factor'\n.*did you mean 'factors'"):
        learner("als", {"factor": 8})


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("als", {"factors": 0}),
        ("als", {"factors": "many"}),
        ("als", {"regularization": 0}),
        ("ease", {"regularization": -1}),
        ("item_knn", {"similarity": "jaccard"}),
        ("item_knn", {"b": 1.5}),
        ("popularity", {"half_life_days": 0}),
    ],
)
def test_values_that_cannot_be_are_refused(name: str, params: dict[str, object]) -> None:
    with pytest.raises(DeclarationError, match=rf"learner {name}: .*{next(iter(params))}"):
        learner(name, params)


def test_a_learner_without_a_fit_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Learner has no fit"):
        Learner().fit(LocalEngine(), mixed())
    with pytest.raises(NotImplementedError, match="Counted has no aggregate"):
        Counted().aggregate  # noqa: B018


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("item_knn", {"k": 0}, "k: Expected `int` >= 1, found 0\n.*the default is 50"),
        ("session_knn", {"method": "sasrec"}, "method cannot be 'sasrec'\n.*it is one of: vsknn, stan|stan, vsknn"),
        ("slist", {"decays": [1.0, "x"]}, r"decays\[1\]: Expected `float`"),
        ("slist", {"decays": []}, r"the default is \[2.0, 0.5\]$"),
    ],
)
def test_a_refused_value_is_told_with_its_parameter_and_what_it_may_be(
    name: str, params: dict[str, object], words: str
) -> None:
    with pytest.raises(DeclarationError, match=words):
        learner(name, params)


def test_positions_of_another_vocabulary_are_refused() -> None:
    model = EASE().fit(LocalEngine(), mixed())
    with pytest.raises(DataError, match=r"positions from 0 to 24, found 0 to 25\n.*Histories.translated"):
        model.scores(Requests(Histories.of([[0, 25]])))


def test_many_requests_in_chunks_and_threads_are_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from segue.learn import scored

    model = EASE().fit(LocalEngine(), mixed())
    random = np.random.default_rng(0)
    requests = Requests(Histories.of([random.integers(0, 25, 4) for _ in range(50)]))
    deny = random.random((50, 25)) < 0.3
    expected = model.top(requests, 6, deny=deny)
    monkeypatch.setattr(scored, "CHUNK_SCORES", 60)
    found = model.top(requests, 6, deny=deny)
    assert np.array_equal(found[0], expected[0])


def test_warming_tells_of_each_kernel() -> None:
    heard: list[str] = []
    module.warm(heard.append)
    assert heard == list(module.KERNELS.values())


@pytest.mark.slow
def test_learning_little_loads_no_compiler() -> None:
    program = (
        "import sys; from segue.engines.local import LocalEngine; from segue.learn.learner import learners;"
        "from segue.testing.datasets import mixed; from segue.domain.requests import Histories, Requests;"
        "[k().fit(LocalEngine(), mixed()).top(Requests(Histories.of([[1]])), 3) for k in learners().values()];"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_set_up_compiles_every_kernel_there_is() -> None:
    modules = {f"segue.learn.{path.stem}" for path in Path(segue.learn.__file__).parent.glob("*_kernels.py")}
    assert modules <= set(KERNELS)
