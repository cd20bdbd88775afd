# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same source gives the same bytes, wherever and whenever it is built."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openvmi.errors import HarnessError
from openvmi.toolchain import IMAGES, Program, build_all, link

ROOT = Path(__file__).resolve().parents[2]


def _digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in IMAGES}


def _build_elsewhere(place: Path, cache: Path) -> dict[str, str]:
    """Copy the sources to ``place`` and build them there with an empty compiler cache."""
    for folder in ("firmware", "guest"):
        shutil.copytree(ROOT / folder, place / folder)
    script = (
        "import pathlib, sys; from openvmi.toolchain import build_all;"
        " build_all(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    )
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    subprocess.run(
        [sys.executable, "-c", script, str(place), str(place / "out")], env=environment, check=True, timeout=240
    )
    return _digests(place / "out")


@pytest.mark.timeout(300)
def test_built_twice_the_bytes_are_the_same(tmp_path: Path) -> None:
    first = _digests(build_all(ROOT, tmp_path / "first"))
    second = _build_elsewhere(tmp_path / "a" / "much" / "deeper" / "folder", tmp_path / "cache")
    assert first == second


def test_the_compiler_words_reach_the_user(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int main(void) { return nonsense; }\n")
    (tmp_path / "any.ld").write_text("SECTIONS { }\n")
    with pytest.raises(HarnessError, match="nonsense"):
        link(Program("bad", ("bad.c",), "any.ld"), tmp_path, tmp_path / "bad.elf")


def test_an_image_that_was_not_built_says_so() -> None:
    from openvmi import images

    with pytest.raises(HarnessError, match="not been built") as caught:
        images.path("no-such.elf")
    assert "make images" in caught.value.help
