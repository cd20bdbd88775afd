# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From ``FILE.py`` or ``FILE.py:Class`` to a hypervisor."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from ..errors import InputError, UsageError
from .base import Hypervisor


def is_file(name: str) -> bool:
    """Say whether a hypervisor's name means a file: ``x.py``, ``x.py:Class``."""
    return _split(name)[0].endswith(".py")


def load_hypervisor(name: str) -> Hypervisor:
    """Return an instance of the class that ``name`` means, made without arguments.

    Args:
        name: ``FILE.py:Class``, or ``FILE.py`` for a file with one hypervisor.

    Raises:
        InputError: no such file, or it does not run.
        UsageError: no such class, or several to choose from.
    """
    file, wanted = _split(name)
    path = Path(file)
    if not path.is_file():
        raise InputError("no such file", where=file)
    found = _classes(_run(path))
    if wanted:
        found = {key: value for key, value in found.items() if key == wanted}
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise UsageError(f"this file has {names} for a hypervisor", where=name, help="give FILE.py:Class")
    try:
        return next(iter(found.values()))()
    except Exception as error:
        raise InputError(f"can't be made: {type(error).__name__}: {error}", where=name) from error


def _split(name: str) -> tuple[str, str]:
    file, colon, wanted = name.rpartition(":")
    return (file, wanted) if colon and file.endswith(".py") else (name, "")


def _run(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError("not a Python file", where=str(path))
    module = module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)  # dataclasses look there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"does not run: {type(error).__name__}: {error}", where=str(path)) from error
    return module


def _classes(module: ModuleType) -> dict[str, type[Hypervisor]]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Hypervisor) and value.__module__ == module.__name__
    }
