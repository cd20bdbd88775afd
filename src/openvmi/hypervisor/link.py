# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Our end of the memory that a guest's payload and we share: setting it up, and reading it without trust.

Layout: ``abi/tables/wire.toml``. The guest may write anything anywhere at any time, so a number is read once, checked,
and only then used; what makes no sense is remembered as :attr:`Link.fault`, the first one, and never raised.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Final

from ..abi import CALL_COUNT, Call, wire
from ..abi.wire import BrainState, GuestState, Mode, Path, RingInfo, WireHeader, WirePayload, WireRecord, WireRing
from ..errors import HarnessError, UsageError
from .hold import Hold
from .rings import DRAINED, HALF, Losses, in_order, ring_size
from .sites import FLAG_CALLS, Reach, stub_addresses

# Nobody publishes what these do, or only the guest's own code can do them natively (firmware/rom/stubs.S).
WITHOUT_STUB: Final = frozenset(
    {
        *(Call.MachineToPhysical, Call.PhysicalToMachine, Call.SetInitialAPState, Call.APICWrite, Call.APICRead),
        *(Call.GetCycleFrequency, Call.GetCycleCounter, Call.SetAlarm, Call.CancelAlarm),
        *(Call.GetWallclockTime, Call.WallclockUpdated, Call.SetCallbacks),
    }
)
SWITCHABLE: Final = tuple(call for call in Call if call not in WITHOUT_STUB)
_H: Final = {name: offset // 4 for name, offset in WireHeader.OFFSETS.items()}
_R: Final = {name: (wire.WIRE_CPU_RING + offset) // 4 for name, offset in WireRing.OFFSETS.items()}
_MODES: Final = WireHeader.OFFSETS["modes"]
_EXIT_MODES: Final = wire.RING_INFO_OFFSET + RingInfo.OFFSETS["modes"]
_WORD: Final = 1 << 32
_RECORD_WORDS: Final = WireRecord.SIZE // 4
_SEQUENCE: Final = WireRecord.OFFSETS["sequence"] // 4
_ENTRY: Final = 0x63  # present, writable, accessed, dirty
_PATIENCE: Final = 1.0  # seconds for a record that was begun to be finished
_TALLY: Final = 1.0  # seconds between two looks at the counters; 4 thousand million calls take longer


class Link:
    """The shared memory of one machine.

    Args:
        memory: a writable buffer of :data:`~openvmi.abi.wire.WIRE_SIZE` bytes or more, all zeros.
        cpus: virtual CPUs, 1 to 64.
        payload: image of the payload, from :mod:`openvmi.images`; None: the memory is set up and in use, and
            records are taken from where the last taker stopped.
        paths: how calls are answered; the rest as the default, switchable where there is native code.
        reach: where the sites of flag calls may become instructions; None lets them remain calls.

    Attributes:
        words: the memory as 32-bit words.
        cpus: as given.
        hold: has the guest wait without limit, for an answer that takes its time.
        offered: the calls whose modes may be changed, if they are switchable.
        stubs: linear address of each flag call's stub, for :mod:`openvmi.hypervisor.sites`.
        fault: the first thing that made no sense in what the guest wrote; empty if there was none.

    Raises:
        HarnessError: the payload is of another build.
        UsageError: it is for fewer CPUs; sizes out of range.
    """

    def __init__(
        self,
        memory: object,
        cpus: int,
        payload: bytes | None,
        paths: Mapping[Call, Path] | None = None,
        reach: Reach | None = None,
    ) -> None:
        self.bytes = memoryview(memory).cast("B")  # type: ignore[arg-type]
        if len(self.bytes) < wire.WIRE_SIZE:
            raise UsageError(f"the shared memory has {len(self.bytes)} bytes, not {wire.WIRE_SIZE} or more")
        if not 1 <= cpus <= wire.WIRE_CPUS_MAX:
            raise UsageError(f"the wire has room for 1 to {wire.WIRE_CPUS_MAX} CPUs", where=str(cpus))
        self.words = self.bytes.cast("I")
        self.cpus = cpus
        self.hold = Hold(self.words)
        self.fault = ""
        self._rings = ring_size(cpus)
        self._tails = [1] * cpus
        self._waits: dict[int, tuple[int, float]] = {}
        self._unfinished = [0] * cpus
        self._counted: dict[tuple[int, int], int] = {}
        self._tally_due = 0.0
        self.stubs: dict[Call, int] = {}
        beyond = (
            () if payload is None else (call for call in WITHOUT_STUB if (paths or {}).get(call) is Path.SWITCHABLE)
        )
        self.offered = (*SWITCHABLE, *sorted(beyond))
        # modes are changed in any thread, and some bytes of theirs by reading them first
        self._changing = threading.RLock()
        self._working = self.bytes[_MODES + Call.IRET] & wire.WIRE_MODE_WORK
        if payload is not None:
            self._set_up(payload, dict(paths or {}))
            self.stubs = stub_addresses(payload)
            if reach is not None:
                self.words[_H["low_memory"]], self.words[_H["fetch"]] = reach.low_memory, reach.fetch - 1
            self.set_mode(Mode.NATIVE)
            return
        stops = [self.words[area(cpu) // 4 + _R["stop"]] for cpu in range(cpus)]
        self._tails = [(stop - self._rings + wire.WIRE_RING_SLACK) % _WORD for stop in stops]

    def _set_up(self, payload: bytes, paths: dict[Call, Path]) -> None:
        head = WirePayload.unpack(payload)
        if head.hash != wire.WIRE_HASH or len(payload) > wire.WIRE_CODE_SIZE:
            raise HarnessError("the payload is of another build than this package", help="make images")
        if self.cpus > head.cpus:
            most = f"--cpus {head.cpus}"
            raise UsageError("more CPUs than this hypervisor serves", where=f"{self.cpus} CPUs", help=most)
        at = wire.WIRE_CODE_OFFSET
        self.bytes[at : at + len(payload)] = payload
        self._write_tables()
        for cpu in range(self.cpus):
            self._write_ring(cpu)
        header = WireHeader(
            magic_low=wire.WIRE_MAGIC_LOW,
            magic_high=wire.WIRE_MAGIC_HIGH,
            version=wire.WIRE_VERSION,
            hash=wire.WIRE_HASH,
            size=wire.WIRE_SIZE,
            cpus=self.cpus,
            init=head.init,
            get_reloc=head.get_reloc,
            wait_cycles=1 << 31,
            wake_port=wire.WIRE_WAKE_PORT,
            trace_span=_WORD - 1,
            paths=_paths(paths),
            modes=bytes(wire.WIRE_CALLS),
            room_cycles=0,
            unused1=bytes(4),
            unused2=bytes(48),
            unused3=bytes(176),
        )
        self.bytes[: WireHeader.SIZE] = header.pack()

    def _write_tables(self) -> None:
        pages = [wire.WIRE_BAR + offset | _ENTRY for offset in range(0, wire.WIRE_SIZE, 4096)]
        legacy = struct.pack(f"<{len(pages)}I", *pages)
        pae = struct.pack(f"<{len(pages)}Q", *pages)
        self.bytes[wire.WIRE_TABLES_OFFSET : wire.WIRE_TABLES_OFFSET + len(legacy)] = legacy
        self.bytes[wire.WIRE_TABLES_PAE_OFFSET : wire.WIRE_TABLES_PAE_OFFSET + len(pae)] = pae

    def _write_ring(self, cpu: int) -> None:
        ring = WireRing(
            head=1,
            stop=1 + self._rings - wire.WIRE_RING_SLACK,
            cpu=cpu,
            mask=self._rings - 1,
            busy=0,
            base=wire.WIRE_BASE + self._ring_at(cpu),
        )
        at = area(cpu) + wire.WIRE_CPU_RING
        self.bytes[at : at + WireRing.SIZE] = ring.pack()

    def _ring_at(self, cpu: int) -> int:
        return wire.WIRE_RINGS_OFFSET + cpu * self._rings * WireRecord.SIZE

    # -- what the guest has said --

    @property
    def guest_state(self) -> GuestState:
        """What the ROM made of us."""
        value = self.words[_H["guest_state"]]
        try:
            return GuestState(value)
        except ValueError:
            self.note(f"the guest's state is {value:#x}")
            return GuestState.SILENT

    def refusal(self) -> str:
        """Return why the ROM did not enter the payload; empty if it did, or was never asked."""
        state = self.guest_state
        if state in {GuestState.SILENT, GuestState.ACTIVE}:
            return ""
        version, tables = self.words[_H["guest_version"]], self.words[_H["guest_hash"]]
        theirs = f"the ROM speaks version {version} with tables {tables:#010x}"
        return f"{state.name}: {theirs}, we {wire.WIRE_VERSION} with {wire.WIRE_HASH:#010x}"

    @property
    def pae(self) -> bool:
        """Whether the guest's page tables have three levels."""
        return bool(self.words[_H["guest_cr4"]] & 0x20)

    @property
    def low_base(self) -> int:
        """The linear address at which the guest maps physical address 0, as the ROM found it."""
        return self.words[_H["guest_base"]] & 0xFFF00000

    def note(self, reason: str) -> None:
        """Remember what is wrong with the guest's side; the first reason stays."""
        self.fault = self.fault or reason

    # -- modes --

    def mode(self, call: Call) -> Mode:
        """Return what is done with ``call``."""
        value = self.bytes[_MODES + call] & ~wire.WIRE_MODE_WORK
        return Mode.TRACE if value == Mode.RANGE else Mode(value) if value < Mode.INLINE else Mode.NATIVE

    def set_mode(self, mode: Mode, calls: Iterable[Call] | None = None) -> None:
        """Do ``mode`` with ``calls``, or all, from now on, on all CPUs: one byte each, so nothing is torn.

        Sites of flag calls follow when the guest makes other calls: see :meth:`settle`.
        """
        wanted = self.offered if calls is None else tuple(calls)
        with self._changing:
            for call in wanted:
                self.bytes[_MODES + call] = self._coded(mode, call)
            if self.words[_H["sites"]] and not FLAG_CALLS.isdisjoint(wanted):
                self._begin_work()

    def silence(self, number: int) -> None:
        """Ask no more about a call, or an exit of ``ring``, whose method has failed; ``number`` is its mailbox's."""
        if number < CALL_COUNT:
            self.set_mode(Mode.NATIVE, [Call(number)])
        elif 0 <= number - wire.RING_EXIT_FIRST < wire.RING_EXITS:
            self.bytes[_EXIT_MODES + number - wire.RING_EXIT_FIRST] = Mode.NATIVE

    def _coded(self, mode: Mode, call: Call) -> int:
        """Return the byte that stands for a call's mode."""
        if call in FLAG_CALLS and mode is Mode.NATIVE and self.words[_H["low_memory"]]:
            return Mode.INLINE
        everywhere = self.words[_H["trace_span"]] == _WORD - 1
        coded = Mode.RANGE if mode is Mode.TRACE and not everywhere else mode
        return coded if call in FLAG_CALLS else coded | self._working

    def _begin_work(self) -> None:
        self.words[_H["work"]] = (self.words[_H["work"]] + 1) % _WORD
        self._set_working(wire.WIRE_MODE_WORK)

    def _set_working(self, bit: int) -> None:
        self._working = bit
        for call in SWITCHABLE:
            if call not in FLAG_CALLS:
                self.bytes[_MODES + call] = self.bytes[_MODES + call] & ~wire.WIRE_MODE_WORK | bit

    def settle(self) -> bool:
        """Say whether all sites are as the modes have them; call it until they are, then nothing is lost any more.

        A site that still is the instruction is neither counted nor recorded. The guest switches some at each call that
        it makes, so one that sleeps takes its time.
        """
        if not self._working:
            return True
        words = self.words
        with self._changing:
            done = words[_H["worked"]] == words[_H["work"]] and words[_H["cursor"]] >= words[_H["sites"]]
            if done:
                self._set_working(0)
        return not self._working

    def set_trace_range(self, low: int, high: int) -> None:
        """Trace only calls whose caller is from ``low`` to below ``high``."""
        if not 0 <= low < high <= _WORD:
            raise UsageError("not a range of addresses", where=f"{low:#x}-{high:#x}")
        with self._changing:
            self.words[_H["trace_low"]] = low
            self.words[_H["trace_span"]] = high - low - 1
            self.set_mode(Mode.TRACE, [call for call in self.offered if self.mode(call) is Mode.TRACE])

    def sites(self) -> dict[int, Call]:
        """Return the call sites that the payload has made switchable: address of the first byte, and the call.

        The guest may have written anything there; addresses are any, and no more than :data:`WIRE_SITES`.
        """
        count = min(self.words[_H["sites"]], wire.WIRE_SITES)
        first = wire.WIRE_SITES_OFFSET // 4
        words = self.words[first : first + 2 * count].tolist()
        return {
            address: Call(call) for address, call in zip(words[::2], words[1::2], strict=True) if call in FLAG_CALLS
        }

    # -- counters --

    def count(self, call: Call, cpu: int | None = None) -> int:
        """Return how often ``call`` was counted (modes COUNT, TRACE and UPCALL), on one CPU or all."""
        if cpu is None:
            return sum(self.count(call, each) for each in range(self.cpus))
        with self._changing:
            counted = self._counted.get((cpu, call), 0)
            counted += (self.words[(area(cpu) + wire.WIRE_CPU_COUNTERS) // 4 + call] - counted) % _WORD
            self._counted[cpu, call] = counted
        return counted

    def tally(self, now: float) -> None:
        """Look at the counters, if it is time to: they are counted modulo 2^32, so nobody may look away for long.

        Args:
            now: seconds of a monotonic clock.
        """
        if now >= self._tally_due:
            self._tally_due = now + _TALLY
            self.counts()

    def counts(self) -> dict[Call, int]:
        """Return how often each call was counted, those that were never left out."""
        return {call: number for call in Call if (number := self.count(call))}

    def losses(self, cpu: int | None = None) -> Losses:
        """Return what did not reach us, from one CPU or all."""
        cpus = range(self.cpus) if cpu is None else [cpu]
        return Losses(
            sum(self.words[area(each) // 4 + _R["lost"]] + self._unfinished[each] for each in cpus),
            sum(self.words[area(each) // 4 + _R["lost_upcalls"]] for each in cpus),
        )

    # -- the brain --

    def set_brain(self, state: BrainState) -> None:
        """Tell the guest whether anybody answers."""
        self.words[_H["brain"]] = state

    @property
    def brain(self) -> int:
        """A :class:`BrainState`, or whatever the guest has written."""
        return self.words[_H["brain"]]

    def set_asleep(self, asleep: bool) -> None:  # noqa: FBT001 - it is the value
        """Tell the guest whether a request has to wake us."""
        self.words[_H["asleep"]] = asleep

    def set_patience(self, cycles: int) -> None:
        """Let the guest wait for ``cycles`` TSC ticks, 1 to 2^32-1, before it goes on natively."""
        self.words[_H["wait_cycles"]] = cycles

    # -- traces --

    def wait_for_room(self, cycles: int) -> None:
        """Let a guest whose ring is full wait for ``cycles`` TSC ticks, to 2^32-1; once in vain, and it is 0 again."""
        self.words[_H["room_cycles"]] = cycles

    def drain(self, cpu: int) -> bytes:
        """Take the records that are ready in a CPU's ring: whole ones of 32 bytes, in their order; 16384 at most.

        Call again while it returns something: a ring's end divides what is ready.
        """
        ring = area(cpu) // 4
        head, tail = self.words[ring + _R["head"]], self._tails[cpu]
        waiting = (head - tail) % _WORD
        if waiting > self._rings:
            self.note(f"CPU {cpu}: the ring's head is {head:#x} and its tail {tail:#x}")
            self._take(cpu, head)
            return b""
        slot = tail & self._rings - 1
        count = min(waiting, self._rings - slot, HALF - tail % HALF, DRAINED)
        first = self._ring_at(cpu) // 4 + slot * _RECORD_WORDS
        ready = in_order(self.words[first + _SEQUENCE : first + count * _RECORD_WORDS : _RECORD_WORDS], tail)
        data = self.bytes[4 * first : 4 * first + ready * WireRecord.SIZE].tobytes()
        if ready < count:
            ready += self._unfinished_record(cpu, tail + ready)
        if ready:
            self._take(cpu, (tail + ready) % _WORD)
        return data

    def flush(self) -> None:
        """Forget the records that nobody has taken, on all CPUs."""
        for cpu in range(self.cpus):
            self._take(cpu, self.words[area(cpu) // 4 + _R["head"]])

    def _take(self, cpu: int, tail: int) -> None:
        self._tails[cpu] = tail
        self.words[area(cpu) // 4 + _R["stop"]] = (tail + self._rings - wire.WIRE_RING_SLACK) % _WORD

    def _unfinished_record(self, cpu: int, number: int) -> int:
        """Return 1 if the record has been waited for long enough and is to be passed over, else 0."""
        now = time.monotonic()
        known, since = self._waits.get(cpu, (-1, 0.0))
        if known != number:
            self._waits[cpu] = (number, now)
        elif now - since > _PATIENCE:
            self._unfinished[cpu] += 1
            return 1
        return 0


def area(cpu: int) -> int:
    """Return the offset of a CPU's area."""
    return wire.WIRE_CPUS_OFFSET + cpu * wire.WIRE_CPU_SIZE


def _paths(given: Mapping[Call, Path]) -> bytes:
    chosen = bytearray(wire.WIRE_CALLS)
    for number in range(CALL_COUNT):
        call = Call(number)
        chosen[number] = given.get(call, Path.NONE if call in WITHOUT_STUB else Path.SWITCHABLE)
    return bytes(chosen)


__all__ = ["SWITCHABLE", "WITHOUT_STUB", "Link", "Losses", "area", "ring_size"]
