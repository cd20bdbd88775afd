# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same calls seen in two ways: recorded by the payload, and by breakpoints as a debugger has them.

A record costs what a benchmark takes longer for an operation, divided by the calls in it, by the guest's cycle counter.
A breakpoint costs what the first N calls after the start take longer than in a boot in which they are recorded, by the
host's clock, for the guest's stands still while it is stopped. Each time what GDB does: read the registers and the
return address, take the breakpoint away, step, put it back, go on.
"""

from __future__ import annotations

import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import images
from ..abi import CALL_COUNT, Call, wire
from ..abi.wire import WirePayload, WireRecord
from ..boot import Request, configure
from ..errors import HarnessError, UsageError
from ..hypervisor.base import Hypervisor
from ..hypervisor.link import WITHOUT_STUB
from ..hypervisor.session import Session
from ..hypervisor.sites import FLAG_CALLS
from .boots import Account, account_of, beside, run
from .findings import Finding, median
from .hypervisors import Trace
from .latency import calls_per_operation, each, with_words
from .measure import medians, ns_per_tick
from .rsp import RspClient

WORKLOADS = ("protect", "switch", "fork-exit")
"""Benchmarks that make calls worth seeing, the one with the most for its time first."""
_SHORT_OF = 20.0  # seconds that a debugger has for its stops
_PATIENCE = 10.0  # seconds for QEMU's answer to a packet
_LOOK = 0.002
_ENOUGH = 0.5  # calls in an operation


class Stretch(Trace):
    """A trace that keeps the times of its first records.

    Args:
        calls: which are recorded.
        first: how many times are kept, in TSC ticks.
    """

    def __init__(self, calls: Iterable[Call], first: int) -> None:
        super().__init__(calls)
        self.times: list[int] = []
        self._first = first

    def idle(self) -> bool:
        """Take what is ready."""
        if self.link is None or len(self.times) >= self._first:
            return super().idle()
        data = self.link.drain(0)
        self.records += len(data) // WireRecord.SIZE
        self.times += [time for (time,) in struct.iter_unpack("<Q24x", data)]
        return bool(data)


@dataclass(slots=True)
class _Samples:
    """What each round gave: ns per operation detached and recorded, ns per stop, stops."""

    native: list[float] = field(default_factory=list)
    traced: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Debugger:
    """Stops a guest at breakpoints, in a thread of its own, until there were enough stops or time is over.

    Args:
        file: QEMU's socket.
        addresses: where to stop.
        events: how often.
    """

    file: Path
    addresses: Sequence[int]
    events: int
    times: list[float] = field(default_factory=list)
    callers: set[int] = field(default_factory=set)
    error: Exception | None = None

    def __call__(self) -> None:
        """Connect, and do it."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_PATIENCE)
                self._connect(connection)
                self.observe(RspClient(connection))
        except (OSError, HarnessError) as error:
            self.error = error

    def observe(self, client: RspClient) -> None:
        """Stop at the breakpoints of a guest that has been stopped by connecting to it; then let it run."""
        until = time.monotonic() + _SHORT_OF
        for address in self.addresses:
            client.insert(address)
        client.go()
        while client.stopped():
            self.times.append(time.perf_counter())
            registers = client.registers()
            self.callers.add(client.word(registers["esp"]))
            here = registers["eip"]
            client.remove(here)
            if len(self.times) > self.events or time.monotonic() > until:
                for address in self.addresses:
                    if address != here:
                        client.remove(address)
                client.leave()
                return
            client.step()
            client.insert(here)
            client.go()

    def _connect(self, connection: socket.socket) -> None:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                connection.connect(str(self.file))
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > until:
                    raise
                time.sleep(_LOOK)
            else:
                return


def check_calls(calls: Iterable[Call]) -> None:
    """Refuse calls that have no one place where a breakpoint sees each of them.

    Raises:
        UsageError: there is one.
    """
    for call in calls:
        if call in WITHOUT_STUB:
            raise UsageError("this call is not offered to guests", where=call.name)
        if call in FLAG_CALLS:
            raise UsageError("sites of this call are instructions: there is no one place to stop at", where=call.name)


def stub_of(payload: bytes, call: Call) -> int:
    """Return the linear address of a call's switchable stub in the payload's image."""
    at = WirePayload.unpack(payload).stubs - wire.WIRE_BASE - wire.WIRE_CODE_OFFSET
    stubs: tuple[int, ...] = struct.unpack_from(f"<{CALL_COUNT}I", payload, at)
    return stubs[call]


def compare(
    base: Request, calls: Sequence[Call], *, events: int, rounds: int, progress: Callable[[str], None]
) -> tuple[list[Finding], Account]:
    """Measure what it costs to see ``calls``, as records and by breakpoints.

    Args:
        base: what to boot, without words for ``/init``; one CPU.
        calls: what to see.
        events: stops in each boot, at most; fewer when the guest makes fewer, or 20 s are over.
        rounds: boots of each kind, interleaved.
        progress: called with a line before each boot.

    Raises:
        OpenVmiError: a boot or the debugger failed, or the calls can't be seen.
    """
    if base.cpus != 1:
        raise UsageError("breakpoints are compared on one CPU: a step lets the others run past them", where="--cpus")
    check_calls(calls)
    payload = images.path("payload-up.bin").read_bytes()
    stubs = [stub_of(payload, call) for call in calls]
    name, per_op = _workload(base, calls, progress)
    request = with_words(base, (name,), None)
    taken = _Samples()
    account = Account()
    for turn in range(rounds):
        progress(f"detached, round {turn + 1} of {rounds}")
        taken.native.append(medians(run(request).report, "time", "detached")[name])
        progress(f"recorded, round {turn + 1} of {rounds}")
        stretch = Stretch(calls, events + 1)
        done = run(request, stretch)
        account += done.account
        taken.traced.append(medians(done.report, "time", "recorded")[name])
        progress(f"stopped, round {turn + 1} of {rounds}")
        debugger, passed = _debug(request, stubs, events)
        account += passed
        taken.stops.append(stop_cost(debugger.times, stretch.times, ns_per_tick(done.report, "recorded")))
        taken.seen.append(float(len(debugger.times) - 1))
    return _findings(name, per_op, taken), account


def stop_cost(stops: Sequence[float], records: Sequence[int], ns: float) -> float:
    """Return the nanoseconds that a stop adds: from the first to the last, less what that stretch takes without.

    Args:
        stops: host time of each stop, in seconds.
        records: ticks of the record of each of the same calls, at least as many.
        ns: length of a tick.

    Raises:
        HarnessError: there are fewer than two, or more stops than records.
    """
    count = len(stops) - 1
    if count < 1 or len(records) <= count:
        raise HarnessError(f"{len(stops)} stops and {len(records)} records: nothing to compare")
    return ((stops[-1] - stops[0]) * 1e9 - (records[count] - records[0]) * ns) / count


def _workload(base: Request, calls: Sequence[Call], progress: Callable[[str], None]) -> tuple[str, float]:
    """Return the first workload that makes ``calls``, and how many in an operation."""
    for name in WORKLOADS:
        per_op = calls_per_operation(base, name, calls, progress)
        if per_op >= _ENOUGH:
            return name, per_op
    raise HarnessError(f"none of {', '.join(WORKLOADS)} makes these calls", where=", ".join(c.name for c in calls))


def _findings(name: str, per_op: float, taken: _Samples) -> list[Finding]:
    added = each(taken.traced, taken.native, per_op)
    record = median("one record", added, "ns", f"{name}: {per_op:.2f} calls per operation")
    how = "between the first stop and the last, less the same stretch recorded"
    stop = median("one breakpoint", taken.stops, "ns", how)
    found = [
        median(f"{name}, detached", taken.native, "ns"),
        median(f"{name}, recorded", taken.traced, "ns"),
        record,
        median("stops in a boot", taken.seen, ""),
        stop,
    ]
    if record.value > 0:
        found.append(Finding("breakpoint / record", stop.value / record.value, "times"))
    return found


def _debug(request: Request, stubs: Sequence[int], events: int) -> tuple[Debugger, Account]:
    """Boot with a debugger at the guest until it has seen enough, and end that boot."""
    with tempfile.TemporaryDirectory(prefix="openvmi-gdb-") as folder:
        debugger = Debugger(Path(folder) / "gdb", stubs, events)
        config = replace(configure(request), extra_args=("-gdb", f"unix:{debugger.file},server=on,wait=off"))
        with Session(Hypervisor(), config) as session:
            beside(session, debugger, _SHORT_OF + 2 * _PATIENCE)
            outcome = session.machine.stop()
            account = account_of(session)
    if debugger.error is not None:
        raise HarnessError(f"the debugger failed: {debugger.error}; the guest: {outcome.reason}") from debugger.error
    return debugger, account
