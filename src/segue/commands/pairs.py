"""The command that tells what goes with an item."""

from __future__ import annotations

import click

from segue.commands.shell import Place, as_json, show


@click.command()
@click.argument("item")
@click.option("--model", help="Which model; the first whose learner is basket where none is named.")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 200), help="How many of each kind.")
@as_json
@click.pass_obj
def basket(place: Place, item: str, model: str | None, k: int, as_json: bool) -> None:  # noqa: FBT001
    """What goes with an item in one basket, and what is taken instead of it."""
    project = place.project()
    kinds = {"goes with": project.goes_with(item, k, model=model), "instead": project.substitutes(item, k, model=model)}
    rows = [
        {
            "how": how,
            "item": pair.item,
            "support": pair.support,
            "ratio": pair.ratio,
            "low": pair.low,
            "high": pair.high,
        }
        for how, pairs in kinds.items()
        for pair in pairs
    ]
    show(rows, as_json, title=f"with {item}")
    if not rows and not as_json:
        click.echo(f"nothing is sure about {item}: too few baskets have it, or it goes with everything alike")


COMMANDS = (basket,)
