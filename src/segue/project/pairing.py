"""What goes with an item, and what is taken instead of it, by a trained model of baskets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.declaration import FILE
from segue.domain.errors import DeclarationError
from segue.project.given import id_of, list_length
from segue.project.learning import Learning

if TYPE_CHECKING:
    from segue.learn.basket import BasketItems, Pair

LEARNER = "basket"


class Pairing(Learning):
    """The part of a `Project` that knows pairs of items."""

    def goes_with(self, item: str, k: int = 10, *, model: str | None = None) -> list[Pair]:
        """What is in one basket with the item more often than chance, the surest first; empty where nothing is sure.

        `model` is a trained model whose learner is "basket"; the first of the declaration where none is named.
        """
        return self._baskets(model).goes_with(id_of("item", item), list_length(k))

    def substitutes(self, item: str, k: int = 10, *, model: str | None = None) -> list[Pair]:
        """What the same people take instead of the item, the surest first; empty where nothing is sure."""
        return self._baskets(model).substitutes(id_of("item", item), list_length(k))

    def _baskets(self, model: str | None) -> BasketItems:
        from segue.learn.basket import BasketItems

        said = self.declaration
        declared = [name for name in said.models if said.model(name).learner == LEARNER]
        if model is None and not declared:
            raise DeclarationError(
                "no model of the declaration counts baskets",
                where=FILE,
                mend=f'add [models.baskets] with learner = "{LEARNER}", and run `segue train baskets`',
            )
        name = self._model(model or declared[0])
        loaded = self._load(name)
        if not isinstance(loaded, BasketItems):
            raise DeclarationError(
                f"model {name} does not count baskets", where=FILE, mend=f'name one whose learner is "{LEARNER}"'
            )
        return loaded
