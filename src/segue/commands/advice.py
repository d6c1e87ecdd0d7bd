"""What a command tells somebody to run instead, where an id that was given is nobody's."""

from __future__ import annotations

import shlex

from segue.commands.shell import Place


def command(place: Place, *words: str) -> str:
    """A command for this workspace, as a shell takes it."""
    return shlex.join(("segue", *([] if str(place.folder) == "." else ["-C", str(place.folder)]), *words))


def meant(place: Place, near: list[str], *words: str) -> str:
    """Whom an id may have meant, and the command with the nearest; empty where nobody is near."""
    from segue.data.identity.nearest import offer

    return f"{offer(near)} Run: {command(place, *words, near[0])}" if near else ""
