# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From ``FILE.py`` or ``FILE.py:Class`` to a hypervisor, with all that can be checked before a machine starts."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from ..abi import Call
from ..abi.wire import Mode
from ..errors import InputError, UsageError
from . import split_name
from ._generated_calls import SHAPES, CallShape
from .base import Hypervisor
from .blame import place_of
from .link import WITHOUT_STUB

_ALIKE = 0.8
_TIME = range(Call.GetCycleFrequency, Call.WallclockUpdated + 1)
_CHOICE = (Mode.NATIVE, Mode.COUNT, Mode.TRACE)
_MODES = "modes = {Call.SetPxE: Mode.COUNT}; Mode.NATIVE and Mode.TRACE are the others"


def is_file(name: str) -> bool:
    """Say whether a hypervisor's name means a file: ``x.py``, ``x.py:Class``."""
    return split_name(name) is not None


def load_hypervisor(name: str) -> Hypervisor:
    """Return an instance of the class that ``name`` means, made without arguments.

    Args:
        name: ``FILE.py:Class``, or ``FILE.py`` for a file with one hypervisor; classes that others in the file derive
            from don't count.

    Raises:
        InputError: no such file, or it does not run.
        UsageError: no such class, several to choose from, or one whose methods can't be called.
    """
    file, wanted = split_name(name) or (name, "")
    path = Path(file)
    if not path.is_file():
        raise InputError("no such file", where=file)
    found = _classes(_run(path))
    names = ", ".join(found) or "none"
    if wanted and wanted not in found:
        raise UsageError(f"this file has no hypervisor {wanted!r}", where=file, help=f"it has: {names}")
    chosen = [found[wanted]] if wanted else _leaves(list(found.values()))
    if not chosen:
        raise UsageError("this file has no hypervisor", where=file, help="a class derived from Hypervisor")
    if len(chosen) > 1:
        raise UsageError(f"this file has several hypervisors: {names}", where=file, help=f"{file}:{chosen[0].__name__}")
    check_methods(chosen[0])
    made = _make(chosen[0], name)
    _check_modes(made)
    return made


def check_methods(cls: type[Hypervisor]) -> None:
    """Make sure that each method of ``cls`` that is named after a call takes what such a call passes.

    Raises:
        UsageError: one does not, is for a call that is never passed to Python, or is named like a call, but not quite.
    """
    _check_spelling(cls)
    for number, shape in SHAPES.items():
        method = getattr(cls, shape.method)
        if method is getattr(Hypervisor, shape.method):
            continue
        if number in WITHOUT_STUB and number not in cls.offers:
            raise UsageError(
                f"{shape.method} is never asked: this call has no native code, so guests are not offered it",
                where=_where(method, cls),
                help="under ring they are: derive the class from Ring" if number in _TIME else "",
            )
        _check_method(method, shape, cls)
    own = own_exits(cls)
    for shape in cls.exit_shapes():
        if shape.method in own:
            _check_method(getattr(cls, shape.method), shape, cls)


def own_exits(cls: type[Hypervisor]) -> list[str]:
    """Return the names of a user's own methods for exits; of a class that knows none, none."""
    names = [shape.method for shape in cls.exit_shapes()]
    return [name for name in names if getattr(cls, name) is not getattr(_owner(cls, name), name)]


def _owner(cls: type[Hypervisor], name: str) -> type:
    """Return the class of ours that has this method first."""
    return next(base for base in reversed(cls.__mro__) if name in vars(base))


def _check_spelling(cls: type[Hypervisor]) -> None:
    """Refuse ``SetCR3`` and ``setcr3`` for ``set_cr3``, ``on_wrmrs`` for ``on_wrmsr``: nobody would ever call them."""
    names = {shape.method.replace("_", ""): shape for shape in SHAPES.values()}
    for name in dir(cls):
        shape = names.get(name.replace("_", "").lower())
        if shape is not None and name != shape.method and not name.startswith("_") and callable(getattr(cls, name)):
            wanted = ", ".join(("self", "vcpu", *(argument for argument, _, _ in shape.takes)))
            where = _where(getattr(cls, name), cls)
            raise UsageError(f"{name} is no call's method", where=where, help=f"def {shape.method}({wanted})")
    _check_exits(cls)


def _check_exits(cls: type[Hypervisor]) -> None:
    exits = {shape.method: shape for shape in cls.exit_shapes()}
    for name in dir(cls) if exits else ():
        if not name.startswith("on_") or name in exits or not callable(getattr(cls, name)):
            continue
        if close := get_close_matches(name, exits, n=1, cutoff=_ALIKE):
            wanted = ", ".join(("self", "vcpu", *(argument for argument, _, _ in exits[close[0]].takes)))
            where = _where(getattr(cls, name), cls)
            raise UsageError(f"{name} is no exit's method", where=where, help=f"def {close[0]}({wanted})")


def _check_method(method: object, shape: CallShape, cls: type[Hypervisor]) -> None:
    taken = ["self", "vcpu", *(name for name, _, _ in shape.takes)]
    wanted = f"def {shape.method}({', '.join(taken)})"
    if not callable(method):
        raise UsageError(f"{shape.method} is no method", where=cls.__name__, help=wanted)
    # what stands in the class takes `self`, unless it is bound to something already
    plain = not isinstance(inspect.getattr_static(cls, shape.method), staticmethod | classmethod)
    try:
        inspect.signature(method).bind(*(taken if plain else taken[1:]))
    except TypeError as error:
        says = f"{shape.method}{inspect.signature(method)} does not take what the call passes: {error}"
        raise UsageError(says, where=_where(method, cls), help=wanted) from error
    except ValueError:
        return  # of a kind that Python can't tell the parameters of
    if inspect.iscoroutinefunction(method) or inspect.isgeneratorfunction(method):
        raise UsageError(f"{shape.method} is not a plain function", where=_where(method, cls), help=wanted)


def _check_modes(hypervisor: Hypervisor) -> None:
    """Make sure that ``modes`` says of calls that can be switched what can be done with them.

    Raises:
        UsageError: it does not.
    """
    where, modes = f"{type(hypervisor).__name__}.modes", hypervisor.modes
    if not isinstance(modes, Mapping):
        raise UsageError(f"{modes!r:.60} is no mapping", where=where, help=_MODES)
    for call, mode in modes.items():
        if not isinstance(call, Call):
            raise UsageError(f"{call!r:.60} is no call", where=where, help=_MODES)
        if call in WITHOUT_STUB and call not in hypervisor.offers:
            raise UsageError(f"{call.name} has no native code, so guests are not offered it", where=where)
        if mode not in _CHOICE or not isinstance(mode, Mode):
            raise UsageError(f"{mode!r:.60} is no mode for {call.name}", where=where, help=_MODES)


def _where(method: object, cls: type[Hypervisor]) -> str:
    code = getattr(inspect.unwrap(method) if callable(method) else None, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else cls.__name__


def _make(cls: type[Hypervisor], name: str) -> Hypervisor:
    try:
        return cls()
    except Exception as error:
        where = place_of(error) or name
        raise InputError(f"{cls.__name__}() failed: {type(error).__name__}: {error}", where=where) from error


def _run(path: Path) -> ModuleType:
    # a name of its own: a file may be called like a module of Python's
    spec = spec_from_file_location(f"_hypervisor_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError("not a Python file", where=str(path))
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # as for a program: what lies beside it can be imported
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        place = f"{error.filename or path}:{error.lineno or 0}"
        raise InputError(f"does not run: {type(error).__name__}: {error.msg}", where=place) from error
    except (Exception, SystemExit) as error:
        where = place_of(error) or str(path)
        raise InputError(f"does not run: {type(error).__name__}: {error}", where=where) from error
    return module


def _classes(module: ModuleType) -> dict[str, type[Hypervisor]]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Hypervisor) and value.__module__ == module.__name__
    }


def _leaves(classes: list[type[Hypervisor]]) -> list[type[Hypervisor]]:
    different = list(dict.fromkeys(classes))
    return [cls for cls in different if not any(other is not cls and issubclass(other, cls) for other in different)]
