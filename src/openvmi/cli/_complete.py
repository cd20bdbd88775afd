# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a shell offers for an argument's value: called by click while the user types, so it raises nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def names_or_files(names: Iterable[str]) -> Complete:
    """Return what completes to one of ``names``, or to a file."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del ctx, param
        # first the file: bash forgets what stands before it, and falls back to files when nothing follows
        return [CompletionItem(incomplete, type="file"), *_items(incomplete, "", names)]

    return complete


def lists_of_names_or_files(names: Iterable[str]) -> Complete:
    """Return what completes a list with commas to one of ``names``; a list of one may be a file."""
    in_lists, alone = lists_of(tuple(names)), names_or_files(names)
    return lambda ctx, param, incomplete: (in_lists if "," in incomplete else alone)(ctx, param, incomplete)


def lists_of(names: Sequence[str]) -> Complete:
    """Return what completes the last name of a list with commas, to one that is not in it yet."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del ctx, param
        before, comma, last = incomplete.rpartition(",")
        taken = before.split(",")
        return _items(last, before + comma, (name for name in names if name not in taken))

    return complete


def calls(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete to a call or jump point of the interface."""
    from ..abi import load

    del param
    interface = load(str(ctx.params.get("generation") or "D").upper())
    found = {entry.name: entry.does for entry in interface.calls}
    found |= {entry.name: entry.does for entry in interface.jump_points}
    start = incomplete.lower()
    return [CompletionItem(name, help=does) for name, does in found.items() if name.lower().startswith(start)]


def _items(incomplete: str, before: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(before + name) for name in names if name.startswith(incomplete)]
