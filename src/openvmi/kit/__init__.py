# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What authors of kernels take: the interface's headers, the bundled kernel's paravirt layer, a kernel to begin from.

The layer is ``guest/paravirt/`` and its headers, as they are: a wheel carries them in ``kit/layer``, where the build
hook puts what :func:`layer_sources` names; a source tree has them where they are written. The interface's headers come
from the tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import HarnessError, UsageError

_HERE = Path(__file__).resolve().parent
_PACKED = _HERE / "layer"
_TREE = _HERE.parents[2]
# Pattern in the source tree -> folder in the layer.
_LAYER = {
    "guest/paravirt/*.[chS]": "",
    "guest/include/types.h": "include",
    "guest/include/arch.h": "include",
    "guest/include/paravirt.h": "include",
    "guest/include/pv_*.h": "include",
}
_VERSION = re.compile(rb"^#define PARAVIRT_(?:VERSION|REVISION) (\d+)$", re.MULTILINE)


def layer_sources(root: Path) -> dict[str, Path]:
    """Return each file of the layer, by its path in the layer, in the source tree ``root``; empty if it is none."""
    return {
        f"{folder}/{path.name}".lstrip("/"): path
        for pattern, folder in _LAYER.items()
        for path in sorted(root.glob(pattern))
    }


def headers(generation: str = "D") -> dict[str, bytes]:
    """Return a generation of the interface as a C header and as an assembler include, by file name."""
    from ..abi import emit_c, load  # noqa: PLC0415 - not needed to list files, as the build hook does

    interface = load(generation)
    return {"vmi_abi.h": emit_c.header(interface).encode(), "vmi_abi.inc": emit_c.include(interface).encode()}


def layer() -> dict[str, bytes]:
    """Return the paravirt layer with the interface's headers: contents by path.

    Raises:
        HarnessError: this installation has it not.
    """
    packed = {path.relative_to(_PACKED).as_posix(): path for path in sorted(_PACKED.rglob("*")) if path.is_file()}
    found = packed or layer_sources(_TREE)
    if not found:
        raise HarnessError(
            "the paravirt layer is not in this installation", help="pip install --force-reinstall openvmi"
        )
    files = {name: path.read_bytes() for name, path in found.items()}
    return files | {f"include/{name}": content for name, content in headers().items()}


def layer_version(files: Mapping[str, bytes]) -> str:
    """Return version and revision of the layer in ``files``, such as ``1.0``; empty if they hold none."""
    return ".".join(number.decode() for number in _VERSION.findall(files.get("include/paravirt.h", b"")))


def template() -> dict[str, bytes]:
    """Return a kernel that uses the layer, and the layer in its folder ``paravirt``: contents by path."""
    own = {path.name: path.read_bytes() for path in sorted((_HERE / "template").iterdir()) if path.is_file()}
    return own | {f"paravirt/{name}": content for name, content in layer().items()}


def is_free(folder: Path) -> bool:
    """Tell whether ``folder`` is empty, or not there.

    Raises:
        UsageError: that can't be told.
    """
    try:
        return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    except (OSError, ValueError) as error:
        raise UsageError(f"can't be read: {getattr(error, 'strerror', None) or error}", where=str(folder)) from error


def read(folder: Path, names: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return those of the files ``names`` that are in ``folder`` already, by path.

    Raises:
        UsageError: one can't be read.
    """
    try:
        return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}
    except (OSError, ValueError) as error:
        raise UsageError(f"can't be read: {getattr(error, 'strerror', None) or error}", where=str(folder)) from error


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` below ``folder``, which is made.

    Raises:
        UsageError: one can't be written.
    """
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"can't write there: {getattr(error, 'strerror', None) or error}", where=str(folder)
        ) from error
