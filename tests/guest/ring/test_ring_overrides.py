# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A method that a class overrides is asked: all of them, by one guest; and what it answers is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from openvmi import images
from openvmi.boot import Request, configure
from openvmi.hypervisor.answers import Continue, Value
from openvmi.hypervisor.ring import Decision, Fault, Ring
from openvmi.hypervisor.ring.exits import EXITS
from openvmi.hypervisor.session import Session
from openvmi.hypervisor.vcpu import Vcpu

LIMIT = 90
METHODS = frozenset(shape.method for shape in EXITS.values())


def overridden(seen: Counter[str]) -> type[Ring]:
    """Return a class with all methods of its own, which count and do as before."""

    def method(name: str) -> Callable[..., Decision]:
        def take(self: Ring, vcpu: Vcpu, *arguments: int) -> Decision:
            seen[name] += 1
            if name == "on_reboot":
                return Value()
            answer: Decision = getattr(super(made, self), name)(vcpu, *arguments)
            return answer

        return take

    made: type[Ring] = type("Everything", (Ring,), {name: method(name) for name in METHODS})
    return made


def run(ring: Ring, kernel: Path, words: str, cpus: int = 1) -> Session:
    request = Request(kernel=str(kernel), hypervisor="ring", append=words, cpus=cpus, accel="tcg", timeout=LIMIT)
    with Session(ring, configure(request)) as session:
        session.wait()
    return session


@pytest.mark.parametrize(("width", "plain"), [("hostile", "guest.elf"), ("hostile_pae", "guest-pae.elf")])
def test_every_method_is_asked(width: str, plain: str, request: pytest.FixtureRequest) -> None:
    seen = Counter[str]()
    kernel = request.getfixturevalue(width)
    session = run(overridden(seen)(), kernel, "try=every-exit", cpus=2)
    assert session.stop is not None
    assert "switched itself off" in session.stop.reason
    run(overridden(seen)(), kernel, "try=sensitive")
    run(overridden(seen)(), images.path(plain), "-- check")
    missing = METHODS - seen.keys()
    assert not missing


class Answers(Ring):
    """Decides what the default leaves alone."""

    physical = 0

    def on_rdpmc(self, vcpu: Vcpu, counter: int) -> Decision:
        del vcpu, counter
        return Value(7)

    def on_refused(self, vcpu: Vcpu, address: int, physical: int) -> Decision:
        del vcpu, address
        self.physical = physical
        return Fault(6)

    def on_set_root(self, vcpu: Vcpu, value: int) -> Decision:
        del vcpu
        return Continue(value=value)


def test_answers_are_done(hostile: Path) -> None:
    ring = Answers()
    session = run(ring, hostile, "try=map-call")
    tries = [line.text.split() for line in session.machine.result.of("info") if line.text.startswith("try SetPxE ")]
    assert tries
    assert {words[2] for words in tries} == {"6"}, "the fault that was asked for, and no other"
    assert ring.physical >> 25 == 0xE0000000 >> 25
