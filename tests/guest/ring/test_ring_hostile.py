# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that tries to break out, one way for each test: it gets faults, or is ended with a reason, and that is all.

Protection by page tables holds on every engine, and is tried here on TCG. What segment limits alone keep apart, TCG
does not: those tries (``limits`` on the kernel's command line) want an engine that checks them, and are left out with
that reason. Descriptors are looked at all the same: LAR and LSL tell what stands in the CPU's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from struct import iter_unpack

import pytest

from openvmi.abi import wire
from openvmi.boot import Request, configure
from openvmi.errors import ExitCode
from openvmi.hypervisor.ring import Ring
from openvmi.hypervisor.session import Session
from openvmi.images import RING_PAYLOADS, path
from openvmi.machine import Nic

LIMIT = 90
TEXT = 0x4000
"""Bytes of the monitor's image that are surely code."""
_TAGS, _SLOTS, _TURN, _FLAGS = 0xB80, 256, 32, 0x63
"""AREA_TAGS, RING_GUEST_SLOTS, RING_GUEST_TURN and WINDOW_FLAGS of firmware/ring."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to try.

    Args:
        name: of the attempt, with its number where it has one.
        tries: the fewest that must have been made.
        faults: the fewest of them that must have been answered by a fault.
        ends: the reasons for which it may be ended instead; empty if it must live.
        cpus: of the machine.
        model: of its CPU.
    """

    name: str
    tries: int = 1
    faults: int = 0
    ends: tuple[str, ...] = ()
    cpus: int = 1
    model: str = "qemu32"


MAPS = (
    Way("map-call", 44, 44),
    Way("map-update", 44, 44),
    Way("map-store", 88, 66),
    Way("map-large", 32, 32),
    Way("map-table", 44, 44),
    Way("map-itself", 50, 44),
    Way("map-hole"),
    Way("map-linear"),
    Way("announce", 9),
    Way("update-wild", 39),
    Way("window", 15, 15),
    Way("write-protection", 72, 40),
    *(Way(f"map-root which={root}", ends=("ROOT", "STACK")) for root in (0, 1, 2, 3, 4, 8, 9, 10, 11, 12)),
)
SEGMENTS = (
    Way("gdt", 200, 100),
    Way("ldt", 200, 100),
    Way("descriptors", 4000, 100),
    Way("selectors", 150, 150),
    *(Way(f"tables which={place}", ends=("GATE", "STACK", "SEGMENTS", "DOUBLE")) for place in range(10)),
)
# by entry * 16 + stack; stacks 4 and 5 are the monitor's own memory, which limits alone keep apart
STACKS = tuple(
    Way(f"stack which={16 * entry + stack}", 2, 0, ("STACK", "SEGMENTS"))
    for entry in range(8)
    for stack in (0, 1, 2, 3, 6, 7, 8, 9, 10, 11)
    # a push at the address space's end is a push into the monitor: limits, too
    if ((entry + stack) % 3 == 0 or entry in {0, 4}) and not (entry == 3 and stack in {6, 7, 8})
)
FLOW = (
    Way("frames", 300, 300),
    Way("iopl", 30, 10),
    Way("gates"),
    Way("sysenter", 10, 10),
    Way("sysenter-hole", 11, 11),
    Way("sysenter-broken", 400, 400),
    Way("sysexit-msrs", 8, 8),
    Way("sysexit-steps", 1, 1),
    Way("sysexit-ticks", 60000, 60000),
    *(
        Way(f"kernel-stack which={stack}", 2, 0, ("STACK", "SEGMENTS", "GATE"))
        for stack in (0, 1, 2, 3, 6, 7, 9, 16, 19, 22)
    ),
    *(Way(f"gate which={gate}", 2, 0, ("GATE", "STACK")) for gate in range(16)),
    Way("user-strings", 48, 48),
    Way("strings", 2, 2),
)
DEVICES = (
    Way("firmware-dma", 11),
    Way("pci", 260),
    Way("chipset", 3),
    Way("message-stores", 250, 36),
    Way("io-apic", 24 * 11 * 2),
    Way("hpet", 3),
    Way("map-chipset", 30, 30),
    Way("take-out", 4),
    Way("port-sizes", 30, 3),
    Way("msrs", 600, 500),
    Way("debug", 40),
    Way("debug-delayed", 32, 16),
    *(Way(f"pic which={base}", 1, base < 32, ("GATE",) if base > 32 else ()) for base in (0, 8, 13, 14, 24, 32, 48)),
    *(Way(f"messages which={message}") for message in range(8)),
)
CALLS = (
    Way("gate-numbers", 1000),
    Way("gate-user", 1, 1),
    Way("gate-flags", 10),
    *(Way(f"calls seed={seed}", 500, ends=("GATE", "STACK")) for seed in range(1, 5)),
    Way("queue", 200),
    *(Way(f"shared seed={seed}", 1, ends=("GATE", "STACK", "SEGMENTS", "ROOT")) for seed in range(1, 4)),
)
ALARMS = (Way("alarms", 480), Way("alarm-vector", 5, 5))
RACES = (
    Way("race-untold", 20000, 100, cpus=2),
    Way("race-told", 20000, cpus=2),
    Way("race-table", 20000, cpus=2),
    Way("race-descriptor", 2000, cpus=2),
    Way("race-io-apic", 200000, cpus=2),
    Way("race-pci", 2000, cpus=2),
    Way("race-pic", 2000, cpus=2),
    Way("race-sysenter", 4000, 4000, cpus=2),
    Way("race-restart", 1401, cpus=2),
)

PAE = (
    Way("pae-reserved", 400, 400),
    *(Way(f"pae-random seed={seed}", 4000, 1000) for seed in range(1, 5)),
    Way("pae-pointers", 300, 300),
    # PWT, PCD and what software may have; then what hardware refuses, and frames that are not there
    *(Way(f"pae-bad-pointer which={bit}", 1, 1, ("ROOT",)) for bit in (1, 2, 6, 7, 8, 32, 35, 36, 51, 62, 63)),
    Way("pae-no-execute", 3, 3, model="qemu32,+nx"),
    Way("race-torn", 20000, 100, cpus=2),
)


def attempt(kernel: Path, way: Way, hypervisor: Ring | None = None) -> tuple[Session, Ring]:
    ring = hypervisor or Ring()
    request = Request(
        kernel=str(kernel),
        hypervisor="ring",
        append=f"try={way.name}",
        cpus=way.cpus,
        cpu_model=way.model,
        accel="tcg",
        timeout=LIMIT,
    )
    return Session(ring, configure(request)), ring


def told(session: Session) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in session.machine.result.of("info"):
        key, _, value = line.text.partition(" ")
        found.setdefault(key, []).append(value)
    return found


def is_whole(session: Session) -> bool:
    """Say whether the monitor's code is as it was."""
    room, pae = wire.RING_STUBS_PAE_OFFSET - wire.WIRE_CODE_OFFSET, session.link.pae
    code = path(RING_PAYLOADS[pae]).read_bytes()[room : room + TEXT]
    at = wire.RING_IMAGE_PAE_OFFSET if pae else wire.RING_IMAGE_OFFSET
    return session.link.bytes[at : at + len(code)] == code


def strange_tags(session: Session) -> Iterator[tuple[int, int]]:
    """Yield what can't be noted of a window to guest frames: each has its own. The notes end below SYSENTER's way."""
    for cpu in range(session.link.cpus):
        at = wire.RING_CPUS_OFFSET + cpu * wire.RING_CPU_SIZE + _TAGS
        for slot, (tag,) in enumerate(iter_unpack("<I", session.link.bytes[at : at + 4 * _SLOTS])):
            if tag and (tag & 0xFFF != _FLAGS or (tag >> 12 ^ _TURN) % _SLOTS != slot):
                yield slot, tag


@pytest.fixture(params=("legacy", "pae"))
def kernel(request: pytest.FixtureRequest) -> Path:
    """The hostile kernel, of either width of page tables."""
    name: str = {"legacy": "hostile", "pae": "hostile_pae"}[request.param]
    built: Path = request.getfixturevalue(name)
    return built


def judge(kernel: Path, way: Way) -> None:
    session, ring = attempt(kernel, way)
    with session:
        outcome = session.wait()
        info = told(session)
        assert info["cpl"] == ["1"], "it runs at CPL 1, or this is no test"
        assert "leak" not in info, info["leak"]
        assert is_whole(session)
        assert list(strange_tags(session)) == [], "the monitor's stack came over its state"
        assert session.link.fault == ""
        assert session.brain is not None
        assert session.brain.failure is None
        if ring.end:
            assert ring.end.partition(",")[0] in way.ends, ring.end
            assert session.stop is not None
            assert session.stop.status == ExitCode.PANIC
            return
        assert outcome.exit_code == ExitCode.OK, f"{outcome.reason} {info.get('try', [])[-1:]}"
        tries, faults, leaks = (int(word) for word in info["tries"][0].split())
        assert leaks == 0
        assert tries >= way.tries
        assert faults >= way.faults


@pytest.mark.parametrize("way", MAPS, ids=lambda way: way.name)
def test_page_tables(kernel: Path, way: Way) -> None:
    judge(kernel, way)


@pytest.mark.parametrize("way", SEGMENTS, ids=lambda way: way.name)
def test_descriptors(kernel: Path, way: Way) -> None:
    judge(kernel, way)


@pytest.mark.parametrize("way", STACKS, ids=lambda way: way.name)
def test_stacks(kernel: Path, way: Way) -> None:
    judge(kernel, way)


@pytest.mark.parametrize("way", FLOW, ids=lambda way: way.name)
def test_ways_in_and_out(kernel: Path, way: Way) -> None:
    judge(kernel, way)


@pytest.mark.parametrize("way", DEVICES, ids=lambda way: way.name)
def test_devices_and_registers(kernel: Path, way: Way) -> None:
    judge(kernel, way)


@pytest.mark.parametrize("way", CALLS, ids=lambda way: way.name)
def test_calls(kernel: Path, way: Way) -> None:
    judge(kernel, way)


@pytest.mark.parametrize("way", ALARMS, ids=lambda way: way.name)
def test_time(kernel: Path, way: Way) -> None:
    judge(kernel, way)


@pytest.mark.parametrize("way", RACES, ids=lambda way: way.name)
def test_races_from_a_second_cpu(kernel: Path, way: Way) -> None:
    judge(kernel, way)


@pytest.mark.parametrize("way", PAE, ids=lambda way: way.name)
def test_page_tables_of_three_levels(hostile_pae: Path, way: Way) -> None:
    judge(hostile_pae, way)


def test_devices_do_not_write_memory(hostile: Path) -> None:
    told_user: list[str] = []
    request = Request(kernel=str(hostile), hypervisor="ring", append="try=devices", accel="tcg", timeout=LIMIT)
    config = replace(configure(request), nics=(Nic(),), extra_args=("-device", "nec-usb-xhci", "-device", "rtl8139"))
    with Session(Ring(), config, warn=told_user.append) as session:
        outcome = session.wait()
        info = told(session)
        assert "leak" not in info, info["leak"]
        assert outcome.exit_code == ExitCode.OK, outcome.reason
        assert len(info["null"]) >= 2, "there are messages to be hidden"
        assert all(int(line.split()[1], 16) & 0xFF == 0 for line in info["null"])
    assert [line.split(" writes")[0].split(" may")[0] for line in told_user] == [
        "a virtio network card",
        "nec-usb-xhci",
        "rtl8139",
    ]


class Careless(Ring):
    """Asks nobody about ports: what the tries find then shows that they look."""

    def install(self, link: object, memory: int) -> None:
        super().install(link, memory)  # type: ignore[arg-type]
        at = wire.RING_PORTS_OFFSET
        link.bytes[at : at + 8192] = bytes(8192)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["firmware-dma", "pci"])
def test_the_tries_would_notice(hostile: Path, name: str) -> None:
    session, _ = attempt(hostile, Way(name), Careless())
    with session:
        session.wait()
        assert "leak" in told(session)
