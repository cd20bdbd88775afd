# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``ring`` on Bochs, which checks segment limits as hardware does and TCG does not.

Nobody answers there: Bochs shares no memory, so the monitor goes by its own rules. Its memory is the highest RAM of the
machine, of which the kernel is not told (``bochs/board.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from openvmi import images
from openvmi.abi.wire import RingEnd
from openvmi.hypervisor.ring.place import ROOM

from .bochs import board, pc
from .hostile import recipe
from .test_ring_hostile import Way
from .test_ring_instructions import SEEN, is_as_promised

LIMIT = 30
FEWEST_CHECKS = 2900


@dataclass(frozen=True, slots=True)
class Parts:
    """What machines of these tests are made of, built once.

    Args:
        page: of :func:`.bochs.board.reset_page`.
        rom: our ROM, for memory that is in place.
        payloads: of ``ring``.
        device: what is in that memory.
        hostile: the hostile kernel, which knows where it is.
    """

    page: bytes
    rom: bytes
    payloads: list[bytes]
    device: list[board.Piece]
    hostile: Path


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    if missing := pc.missing():
        pytest.skip(f"bochs: {missing}")
    folder = tmp_path_factory.mktemp("bochs")
    payloads = board.payloads(folder)
    return Parts(
        board.reset_page(folder),
        board.in_place_rom(folder),
        payloads,
        board.device_pieces(payloads, board.MEMORY),
        recipe.build(folder, includes=(board.HERE,)),
    )


def boot(parts: Parts, folder: Path, kernel: Path, append: str, rom: bytes) -> pc.Seen:
    """Boot ``kernel``; under ``ring`` if the ROM is the one of ``parts``."""
    pieces, start = board.kernel_pieces(kernel, board.MEMORY, append)
    device = parts.device if rom is parts.rom else []
    return pc.run(folder / "bochs", board.board_image(parts.page, [*pieces, *device], start), rom, LIMIT)


def told(seen: pc.Seen, key: str) -> list[str]:
    return [line.text.removeprefix(f"{key} ") for line in seen.result.of("info") if line.words[0] == key]


def is_whole(parts: Parts, seen: pc.Seen) -> bool:
    """Say whether the monitor's code is as it was."""
    return parts.payloads[0][ROOM:].startswith(seen.code)


@pytest.mark.parametrize("guest", ["guest.elf", "guest-pae.elf"])
@pytest.mark.parametrize("hypervisor", ["none", "native", "ring"])
def test_the_bundled_kernel_checks_itself(parts: Parts, tmp_path: Path, guest: str, hypervisor: str) -> None:
    rom = {"none": b"", "native": images.path("openvmi-native.rom").read_bytes(), "ring": parts.rom}[hypervisor]
    seen = boot(parts, tmp_path, images.path(guest), "-- check", rom)
    assert seen.result.status == 0, seen.log
    (summary,) = seen.result.of("summary")
    passed, failed = (int(word) for word in summary.words)
    assert (failed, seen.result.of("fail")) == (0, [])
    assert passed > FEWEST_CHECKS
    level = {"none": "", "native": "vmi active cpl 0", "ring": "vmi active cpl 1"}[hypervisor]
    assert level in seen.console


def without_limit(name: str, value: str) -> str:
    """LAR's bits 16-19 are undefined; and whether a segment was accessed is not in every emulator's descriptors."""
    return f"{int(value, 16) & ~0xF0100:x}" if "lar" in name.split("-") else value


@pytest.mark.parametrize("hypervisor", ["none", "ring"])
def test_each_instruction_is_seen_as_promised(parts: Parts, tmp_path: Path, hypervisor: str) -> None:
    seen = boot(parts, tmp_path, parts.hostile, "try=sensitive", parts.rom if hypervisor == "ring" else b"")
    values = dict(line.split() for line in told(seen, "saw"))
    assert values.keys() == SEEN.keys(), seen.log
    for name, (natively, ring) in SEEN.items():
        promised = natively if hypervisor == "none" or ring is None else ring
        value = without_limit(name, values[name])
        assert is_as_promised(value, without_limit(name, promised)), (name, value, promised)


# what is left to limits alone: see test_ring_hostile.py, which tries the rest
MONITOR_STACKS = tuple(
    Way(f"stack which={16 * entry + stack}", 2, 0, ("STACK",))
    for entry in range(8)
    for stack in ((4, 5, 6, 8) if entry in {0, 3, 4} else (4,))
)
WAYS = (
    Way("reach", 240, 240),
    Way("reach-descriptors", 5000, 5000),
    *(Way(f"reach-stack which={which}", 1, 1, ("STACK",)) for which in (0, 1, 8, 13)),
    *MONITOR_STACKS,
    *(Way(f"kernel-stack which={stack}", 2, 0, ("STACK",)) for stack in (4, 20, 21)),
    *(Way(f"gate which={gate}", 2, 0, ("GATE",)) for gate in (8, 9, 12, 13)),
    Way("frames", 500, 500),
    Way("descriptors", 4000, 100),
    Way("selectors", 150, 150),
    Way("gdt", 200, 100),
    Way("ldt", 200, 100),
    Way("update-wild", 61, 22),
    Way("map-linear"),
    *(Way(f"calls seed={seed}", 500, ends=("GATE", "STACK")) for seed in (1, 2)),
    Way("shared seed=1", 1, ends=("GATE", "STACK", "SEGMENTS", "ROOT")),
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_limits_keep_a_hostile_kernel_out(parts: Parts, tmp_path: Path, way: Way) -> None:
    seen = boot(parts, tmp_path, parts.hostile, f"try={way.name} limits", parts.rom)
    assert told(seen, "cpl") == ["1"], seen.log
    assert told(seen, "leak") == []
    assert is_whole(parts, seen)
    assert not seen.late
    if seen.info.end:
        assert RingEnd(seen.info.end).name in way.ends
        return
    assert seen.result.status == 0, seen.log
    tries, faults, leaks = (int(word) for word in told(seen, "tries")[0].split())
    assert leaks == 0
    assert tries >= way.tries
    assert faults >= way.faults


def test_the_tries_would_notice(parts: Parts, tmp_path: Path) -> None:
    """At CPL 0, without ``ring``, they get there."""
    seen = boot(parts, tmp_path, parts.hostile, "try=reach-descriptors limits", b"")
    assert told(seen, "cpl") == ["0"], seen.log
    assert len(told(seen, "leak")) > 0
