"""Experiments pick the form of a surface by person; what cannot be is refused before it can be released."""

from __future__ import annotations

from typing import Any

import pytest

from segue.decide.surface import Exploration, Surface
from segue.decide.variants import Variants, overridden
from segue.domain.errors import DeclarationError, UnknownName
from segue.domain.experiment import Experiment, Variant

HOME = Surface(("ease",), k=12, exploration=Exploration("plackett-luce", temperature=0.5))


def trial(surface: str = "home", **variants: dict[str, Any]) -> Experiment:
    return Experiment(surface, {name: Variant(surface=fields) for name, fields in variants.items()}, {})


def test_a_person_gets_the_form_of_their_variant_and_keeps_it() -> None:
    experiment = trial(A={}, B={"sources": ["popularity"], "k": 5})
    variants = Variants({"home": HOME}, {"test": experiment})
    seen = set()
    for number in range(50):
        surface, assignments = variants.of("home", f"u:{number}")
        variant = experiment.variant_of("test", f"u:{number}")
        assert assignments == {"test": variant}
        assert (surface.sources, surface.k) == ((("ease",), 12) if variant == "A" else (("popularity",), 5))
        assert variants.of("home", f"u:{number}") == (surface, assignments)
        seen.add(variant)
    assert seen == {"A", "B"}


def test_who_has_no_name_and_who_is_not_covered_take_part_in_nothing() -> None:
    variants = Variants({"home": HOME}, {"test": trial(A={}, B={"k": 5})})
    assert variants.of("home", "") == (HOME, {})
    rare = Experiment("home", {"A": Variant(), "B": Variant(surface={"k": 5})}, {}, coverage=1e-9)
    assert Variants({"home": HOME}, {"test": rare}).of("home", "u:1") == (HOME, {})


def test_experiments_on_different_fields_meet_in_one_person() -> None:
    experiments = {"source": trial(A={}, B={"sources": ["knn"]}), "length": trial(A={}, B={"k": 5})}
    variants = Variants({"home": HOME}, experiments)
    forms = {variants.of("home", f"u:{number}")[0] for number in range(100)}
    assert {(form.sources, form.k) for form in forms} == {
        (source, k) for source in (("ease",), ("knn",)) for k in (12, 5)
    }
    assert variants.of("home", "u:1")[1].keys() == {"source", "length"}


def test_a_table_is_overridden_field_by_field() -> None:
    assert overridden(HOME, {"exploration": {"top": 7}}, "").exploration == Exploration("plackett-luce", 0.1, 0.5, 7)


@pytest.mark.parametrize(
    ("overrides", "problem", "mend"),
    [
        ({"sorces": []}, "no setting is called 'sorces'", "did you mean 'sources'"),
        ({"exploration": {"temprature": 1}}, "no setting is called 'temprature'", "did you mean 'temperature'"),
        ({"k": 0}, "`int` >= 1", "correct that value"),
        ({"exploration": {"policy": "greedy"}}, "'greedy'", "correct that value"),
        ({"exploration": 3}, "`object`, got `int`", "correct that value"),
    ],
)
def test_an_override_that_cannot_be_is_refused_with_its_place(overrides: dict, problem: str, mend: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Variants({"home": HOME}, {"test": trial(A={}, B=overrides)})
    assert problem in caught.value.problem
    assert mend in caught.value.mend
    assert caught.value.where.startswith("[experiments.test.variants.B.surface]")


def test_an_experiment_on_an_unknown_surface_or_of_one_variant_is_refused() -> None:
    with pytest.raises(DeclarationError, match="did you mean 'home'"):
        Variants({"home": HOME}, {"test": trial("hone", A={}, B={})})
    with pytest.raises(DeclarationError, match="expected two or more variants, found 1"):
        Variants({"home": HOME}, {"test": trial(A={})})


def test_two_experiments_may_not_set_the_same_field() -> None:
    with pytest.raises(DeclarationError, match=r"'one' and 'two' both set k of surface 'home'"):
        Variants({"home": HOME}, {"one": trial(A={}, B={"k": 3}), "two": trial(A={}, B={"k": 4})})


def test_models_are_looked_for_in_every_form() -> None:
    variants = Variants({"home": HOME}, {"test": trial(A={}, B={"sources": ["knnn"]})})
    with pytest.raises(DeclarationError, match="did you mean 'knn'") as caught:
        variants.refuse_missing_models(["ease", "knn"], ["ease", "knn"])
    assert caught.value.where == "[experiments.test.variants.B.surface] sources"
    with pytest.raises(DeclarationError, match="'ease' is needed, and not among those to be released"):
        Variants({"home": HOME}, {}).refuse_missing_models(["knn"], ["ease", "knn"])
    with pytest.raises(DeclarationError, match="the surface names no model"):
        Variants({"home": Surface(())}, {}).refuse_missing_models([], ["ease"])


def test_an_unknown_surface_is_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'home'"):
        Variants({"home": HOME}, {}).of("hom", "u:1")
