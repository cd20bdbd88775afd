# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write ``hypervisor/_generated_calls.py``: one typed method for each call, and how its arguments are read."""

from __future__ import annotations

import keyword
import re
import textwrap

from .banner import COPYRIGHT, LICENSE
from .model import FRAME, Argument, CallSpec, Interface

_WIDTH = 116
_LINE = 120


def method_name(call: str) -> str:
    """Return the name of a call's method: ``SetCR3`` is ``set_cr3``, ``SetPxE`` is ``set_pxe``."""
    text = call.replace("PxE", "Pxe")
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", "_", text).lower()


def parameter(argument: Argument) -> str:
    """Return the name of an argument's parameter: Python keeps some words to itself."""
    return f"{argument.name}_" if keyword.iskeyword(argument.name) else argument.name


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _wrapped(text: str, indent: str, hanging: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=hanging, break_long_words=False)


def _where(argument: Argument) -> str:
    if argument.at == (FRAME,):
        return "linear address of the frame on the guest's stack"
    kind = f"linear address of a {argument.type[:-1]}" if argument.type.endswith("*") else argument.type
    return f"{kind}, {argument.bits} bits, in {'+'.join(argument.at)}"


def _method(call: CallSpec) -> list[str]:
    names = [parameter(argument) for argument in call.takes]
    parameters = "".join(f", {name}: int" for name in names)
    excuse = "  # noqa: PLR0913, PLR0917 - the interface's" if len(names) > 4 else ""
    head = f"    def {method_name(call.name)}(self, vcpu: Vcpu{parameters}) -> Answer:{excuse}"
    lines = ["", head]
    does = _wrapped(_sentence(call.does), " " * 8, " " * 8)
    lines += [
        f'        """Call {call.number}, {call.name}.',
        "",
        *does,
        "",
        "        Args:",
        "            vcpu: who calls, and from where.",
    ]
    for argument in call.takes:
        lines += _wrapped(f"{parameter(argument)}: {_where(argument)}.", " " * 12, " " * 16)
    lines += ["", "        Returns:"]
    result = ", ".join(f"{result.name} ({result.bits} bits, {'+'.join(result.at)})" for result in call.gives)
    if not call.returns:
        text = "None or a changed call: it does not come back to its caller."
    elif result:
        text = f"None to have it done natively, or Value({result})."
    else:
        text = "None to have it done natively, or any other answer."
    lines += _wrapped(text, " " * 12, " " * 12)
    lines += ['        """', f"        del vcpu{''.join(f', {name}' for name in names)}", "        return None"]
    return lines


def _places(arguments: tuple[Argument, ...]) -> str:
    items = [f'("{parameter(argument)}", {argument.bits}, {_tuple(argument.at)})' for argument in arguments]
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _tuple(names: tuple[str, ...]) -> str:
    return f"({', '.join(f'{chr(34)}{name}{chr(34)}' for name in names)}{',' if len(names) == 1 else ''})"


def _row(call: CallSpec) -> list[str]:
    values = (f'"{method_name(call.name)}"', _places(call.takes), _places(call.gives), str(call.returns))
    line = f"    {call.number}: CallShape({', '.join(values)}),"
    if len(line) <= _LINE:
        return [line]
    inside = f"        {', '.join(values)}"
    if len(inside) <= _LINE:
        return [f"    {call.number}: CallShape(", inside, "    ),"]
    takes = [f"        {values[1]},"]
    if len(takes[0]) > _LINE:
        takes = ["        (", *(f"            {_places((argument,))[1:-2]}," for argument in call.takes), "        ),"]
    rest = [f"        {value}," for value in values[2:]]
    return [f"    {call.number}: CallShape(", f"        {values[0]},", *takes, *rest, "    ),"]


def calls(interface: Interface) -> str:
    """Return the text of ``_generated_calls.py``."""
    lines = [
        f"# {COPYRIGHT}",
        f"# {LICENSE}",
        '"""One method for each call of the interface, and where its arguments are.',
        "",
        "Written by ``python -m openvmi.abi.generate`` from ``abi/tables``: change those, not this file.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import TYPE_CHECKING, Final, NamedTuple",
        "",
        "if TYPE_CHECKING:",
        "    from .answers import Answer",
        "    from .vcpu import Vcpu",
        "",
        "Places = tuple[tuple[str, int, tuple[str, ...]], ...]",
        "",
        "",
        "class CallShape(NamedTuple):",
        '    """How a call is made: its method; name, bits and places of arguments and results; whether it returns."""',
        "",
        "    method: str",
        "    takes: Places",
        "    gives: Places",
        "    returns: bool",
        "",
        "",
        "SHAPES: Final[dict[int, CallShape]] = {",
    ]
    for call in interface.calls:
        lines += _row(call)
    lines += [
        "}",
        "",
        "",
        "class Calls:",
        '    """A method for each call; a subclass with one of its own routes that call, and only it, to Python."""',
    ]
    for call in interface.calls:
        lines += _method(call)
    return "\n".join(lines) + "\n"
