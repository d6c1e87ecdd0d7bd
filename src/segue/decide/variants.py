"""Which form of a surface a person gets: the declared one, or that of the variants of the experiments on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from segue.decide.surface import Surface
from segue.domain.errors import DeclarationError, UnknownName, unknown
from segue.domain.experiment import Experiment

Overrides = Mapping[str, Any]


class Variants:
    """The surfaces of a release under its experiments; everything that could be wrong is refused when it is made.

    A `DeclarationError` names the surface, experiment, variant and field, and offers the nearest known name.

    >>> Variants({"home": Surface(sources=("ease",))}, {}).of("home", "u:1")[0].sources
    ('ease',)
    """

    def __init__(self, surfaces: Mapping[str, Surface], experiments: Mapping[str, Experiment]) -> None:
        self.surfaces = dict(surfaces)
        self._running: dict[str, dict[str, Experiment]] = {name: {} for name in surfaces}
        self._overrides: dict[tuple[str, str], Overrides] = {}
        self._forms: dict[tuple[str, tuple[str, ...]], Surface] = {}
        for name, experiment in experiments.items():
            self._admit(name, experiment)

    def of(self, surface: str, person: str) -> tuple[Surface, dict[str, str]]:
        """The surface for a person (as `person_key` names it), and the variant of each experiment that decided it.

        Who has no name ("") takes part in no experiment. `UnknownName` where there is no such surface.
        """
        if surface not in self.surfaces:
            raise unknown("surface", surface, self.surfaces)
        running = self._running[surface]
        if not running or not person:
            return self.surfaces[surface], {}
        chosen = {name: experiment.variant_of(name, person) for name, experiment in running.items()}
        assignments = {name: variant for name, variant in chosen.items() if variant is not None}
        return self._form(surface, assignments), assignments

    def forms(self) -> dict[str, Surface]:
        """Every form that a surface can take by one experiment, under the place in segue.toml that says so."""
        forms = {f"[surfaces.{name}]": surface for name, surface in self.surfaces.items()}
        for surface, running in self._running.items():
            for name, experiment in running.items():
                for variant in experiment.variants:
                    forms[_place(name, variant)] = self._form(surface, {name: variant})
        return forms

    def refuse_missing_models(self, models: Collection[str], trained: Collection[str]) -> None:
        """A `DeclarationError` where a surface, or a variant of it, needs a model that is not among `models`."""
        for place, surface in self.forms().items():
            where = f"{place} sources"
            if not surface.sources:
                named = f"name one or more of: {', '.join(sorted(trained))}"
                mend = named if trained else "nothing is trained yet: run `segue train`, and name what it trained"
                raise DeclarationError("the surface names no model", where=where, mend=mend)
            for source in surface.sources:
                if source not in trained:
                    raise _declaration(unknown("trained model", source, trained), where)
                if source not in models:
                    raise DeclarationError(
                        f"the model '{source}' is needed, and not among those to be released",
                        where=where,
                        mend="name it as well, or name none: then all that are needed are released",
                    )

    def _admit(self, name: str, experiment: Experiment) -> None:
        where = f"[experiments.{name}]"
        if experiment.surface not in self.surfaces:
            raise _declaration(unknown("surface", experiment.surface, self.surfaces), f"{where} surface")
        if len(experiment.variants) < 2:
            raise DeclarationError(
                f"expected two or more variants, found {len(experiment.variants)}",
                where=where,
                mend="add a variant, or take the experiment out",
            )
        surface = self.surfaces[experiment.surface]
        for variant, settings in experiment.variants.items():
            overridden(surface, settings.surface, _place(name, variant))
            self._overrides[name, variant] = settings.surface
        self._refuse_overlap(name, experiment)
        self._running[experiment.surface][name] = experiment

    def _refuse_overlap(self, name: str, experiment: Experiment) -> None:
        """Two experiments may run on one surface, but not set the same field of it: which would hold?"""
        for other, running in self._running[experiment.surface].items():
            shared = _fields(experiment) & _fields(running)
            if shared:
                raise DeclarationError(
                    f"the experiments '{other}' and '{name}' both set {', '.join(sorted(shared))} of surface "
                    f"'{experiment.surface}'",
                    where=f"[experiments.{name}]",
                    mend="run one after the other, or make them one experiment of four variants",
                )

    def _form(self, surface: str, assignments: Mapping[str, str]) -> Surface:
        key = (surface, tuple(f"{name}={variant}" for name, variant in assignments.items()))
        if key not in self._forms:
            form = self.surfaces[surface]
            for name, variant in assignments.items():
                form = overridden(form, self._overrides[name, variant], _place(name, variant))
            self._forms[key] = form
        return self._forms[key]


def overridden(surface: Surface, overrides: Overrides, where: str) -> Surface:
    """The surface with some fields set differently; a table such as `exploration` is overridden field by field.

    >>> overridden(Surface(sources=("ease",)), {"exploration": {"policy": "plackett-luce"}}, "here").exploration.policy
    'plackett-luce'
    """
    merged = _merged(surface, overrides, where)
    try:
        return msgspec.convert(merged, Surface)
    except msgspec.ValidationError as error:
        raise DeclarationError(str(error), where=where, mend="correct that value") from error


def _merged(settings: msgspec.Struct, overrides: Overrides, where: str) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.structs.asdict(settings)
    for name, value in overrides.items():
        if name not in fields:
            raise _declaration(unknown("setting", name, fields), where)
        table = isinstance(fields[name], msgspec.Struct) and isinstance(value, Mapping)
        fields[name] = _merged(fields[name], value, f"{where}.{name}") if table else value
    return fields


def _fields(experiment: Experiment) -> set[str]:
    return {name for variant in experiment.variants.values() for name in variant.surface}


def _place(experiment: str, variant: str) -> str:
    return f"[experiments.{experiment}.variants.{variant}.surface]"


def _declaration(error: UnknownName, where: str) -> DeclarationError:
    return DeclarationError(error.problem, where=where, mend=error.mend)
