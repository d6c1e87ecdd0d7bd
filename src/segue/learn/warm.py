"""Compile every kernel once, so that nobody's first answer waits for a compiler."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

KERNELS = {
    "segue.learn.ascending_kernels": "looking up",
    "segue.learn.top_kernels": "selecting the best",
    "segue.learn.product_kernels": "selecting the best of products",
    "segue.learn.gram_kernels": "counting pairs",
    "segue.learn.ease_kernels": "scoring by item weights",
    "segue.learn.sparse_items_kernels": "scoring by sparse item weights",
    "segue.learn.slim_kernels": "sparse item weights",
    "segue.learn.item_knn_kernels": "item neighbours",
    "segue.learn.pair_kernels": "adding up pairs of items",
    "segue.learn.line_kernels": "adding up factors",
    "segue.learn.als_kernels": "solving for factors",
    "segue.learn.slist_kernels": "counting what comes after what",
    "segue.learn.session_knn_kernels": "session neighbours",
    "segue.learn.basket_kernels": "counting baskets",
    "segue.engines.scatter_kernels": "sorting histories",
    "segue.data.bulk.kernels": "reading big files",
}


def warm(progress: Callable[[str], None] | None = None) -> None:
    """Compile what is not in the user's cache yet (seconds the first time, tenths later); `progress` hears of each."""
    for module, purpose in KERNELS.items():
        if progress is not None:
            progress(purpose)
        import_module(module)
