# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Linux under ``ring`` does the same work with the same results as on the bare machine, however long it takes.

OPENVMI_LINUX=bzImage pytest -s tests/guest/soak                      # your VMI kernel, some seconds
OPENVMI_LINUX=bzImage OPENVMI_SOAK=800 pytest -s tests/guest/soak     # 800 units of work, ten minutes or more

OPENVMI_CPUS and OPENVMI_MEMORY (MiB) say what the machine has. The kernel wants ext2, tmpfs, IPv4, and virtio's PCI
devices, disks and network cards built in. The host wants mke2fs, of e2fsprogs.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from openvmi.hypervisor.ring.pages import budget, taken

from .rig import Soaked, build, soak

KERNEL = os.environ.get("OPENVMI_LINUX", "")
UNITS = int(os.environ.get("OPENVMI_SOAK", "4"))
CPUS = int(os.environ.get("OPENVMI_CPUS", "1"))
MEMORY = int(os.environ.get("OPENVMI_MEMORY", "256"))


@pytest.mark.skipif(not KERNEL, reason="kernel: OPENVMI_LINUX names none, and none comes with the project")
@pytest.mark.timeout(UNITS * 20 + 200)
def test_a_linux_does_what_it_does_bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert shutil.which("mke2fs"), "mke2fs makes the disk: apt install e2fsprogs"
    initrd = build(tmp_path)
    found: dict[str, Soaked] = {}
    for name in ("none", "ring"):
        words = {"units": UNITS, "cpus": CPUS, "memory": MEMORY, "limit": UNITS * 10 + 60}
        one = found[name] = soak(Path(KERNEL), name, initrd, tmp_path, **words)
        sys.stdout.write(f"\n{name}: {one.seconds:.0f} s, {one.said.splitlines()[-2]} {one.shadows}\n")
    ring = found["ring"]
    assert f"SOAKED {UNITS} units" in ring.said
    assert ring.powered_off
    assert ring.lost == 0
    assert ring.said == found["none"].said
    pages = ring.shadows
    assert pages["roots"] > UNITS  # it was under ring
    assert taken(MEMORY << 20, CPUS, pages["pages"], pages["peak"]) <= budget(MEMORY << 20)
