# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Perfetto's protobuf: open it at ui.perfetto.dev, or query it with trace_processor.

A process with a track for each CPU, where every call is an instant with its arguments and its place in the kernel, and
beside it a track of the address space that the CPU is in. The messages are those of Perfetto's own `perfetto` package.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, BinaryIO, Final

from ...errors import UsageError
from ..event import Event
from ..schema import ArgumentReader
from ..source import Source

_SEQUENCE: Final = 1
_PROCESS: Final = 1
_CPU_TRACKS: Final = 1000
_SPACE_TRACKS: Final = 2000
_PACKETS: Final = 2000
_MOST_PLACES: Final = 100_000
_LAST: Final = (1 << 63) - 1  # nanoseconds; a file's times and frequency may make more


def write(source: Source, out: BinaryIO) -> None:
    """Write ``source`` to ``out``; time 0 is the first event's.

    Raises:
        InputError: the file contradicts itself.
        UsageError: the package is not installed.
    """
    packets = _Packets(source, _proto(), out)
    packets.process()
    for event in source.events():
        packets.event(event)
    packets.end()


def _proto() -> Any:  # noqa: ANN401 - generated messages have no types
    try:
        from perfetto.protos.perfetto.trace import perfetto_trace_pb2  # noqa: PLC0415 - an extra, and slow
    except ImportError as error:
        raise UsageError(
            "the perfetto package is not here", where="--export perfetto", help="pip install 'openvmi[perfetto]'"
        ) from error
    return perfetto_trace_pb2


class _Packets:
    """Makes the packets of one trace and writes them, many at a time: such traces may be joined end to end."""

    def __init__(self, source: Source, proto: Any, out: BinaryIO) -> None:  # noqa: ANN401 - as above
        self._meta = source.meta
        self._read = ArgumentReader(source.meta).read
        self._place = lru_cache(_MOST_PLACES)(source.symbols.place)
        self._proto = proto
        self._out = out
        self._trace = proto.Trace()
        self._names: dict[str, int] = {}
        self._spaces: dict[int, str] = {}
        self._cpus: set[int] = set()
        self._switch = {number for number, info in source.meta.calls.items() if info.name == "SetCR3"}
        self._first: int | None = None
        self._time = 0

    def process(self) -> None:
        """Say that there is a process, which has all tracks."""
        packet = self._packet()
        packet.sequence_flags = self._proto.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        packet.track_descriptor.uuid = _PROCESS
        packet.track_descriptor.process.pid = 1
        packet.track_descriptor.process.process_name = self._meta.kernel or "guest kernel"

    def event(self, event: Event) -> None:
        """Add ``event``, the next by time."""
        self._first = event.time if self._first is None else self._first
        ticks = max(event.time - self._first, 0)
        self._time = min(ticks * 1_000_000_000 // (self._meta.tsc_hz or 1_000_000_000), _LAST)
        if event.cpu not in self._cpus:
            self._cpus.add(event.cpu)
            self._track(_CPU_TRACKS + event.cpu, f"CPU {event.cpu}", event.cpu * 2)
            self._track(_SPACE_TRACKS + event.cpu, f"CPU {event.cpu} address space", event.cpu * 2 + 1)
        self._instant(event)
        if event.call in self._switch:
            self._space(event)
        if len(self._trace.packet) >= _PACKETS:
            self._flush()

    def end(self) -> None:
        """Close what is open, and write the rest."""
        for cpu in self._spaces:
            self._slice(cpu, None)
        self._flush()

    def _flush(self) -> None:
        self._out.write(self._trace.SerializeToString())
        self._trace = self._proto.Trace()

    def _packet(self) -> Any:  # noqa: ANN401
        packet = self._trace.packet.add()
        packet.trusted_packet_sequence_id = _SEQUENCE
        return packet

    def _track(self, uuid: int, name: str, rank: int) -> None:
        descriptor = self._packet().track_descriptor
        descriptor.uuid, descriptor.parent_uuid, descriptor.name = uuid, _PROCESS, name
        descriptor.sibling_order_rank = rank

    def _track_event(self, track: int, kind: int) -> Any:  # noqa: ANN401
        packet = self._packet()
        packet.timestamp = self._time
        packet.sequence_flags = self._proto.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
        entry = packet.track_event
        entry.track_uuid, entry.type = track, kind
        return packet

    def _instant(self, event: Event) -> None:
        packet = self._track_event(_CPU_TRACKS + event.cpu, self._proto.TrackEvent.TYPE_INSTANT)
        self._name(packet, self._meta.name(event.call))
        notes = packet.track_event.debug_annotations
        notes.add(name="caller", string_value=self._place(event.origin))
        for name, value in self._read(event).items():
            notes.add(name=name, pointer_value=value)

    def _space(self, event: Event) -> None:
        if event.cpu in self._spaces:
            self._slice(event.cpu, None)
        self._spaces[event.cpu] = f"CR3 {event.eax:#010x}"
        self._slice(event.cpu, self._spaces[event.cpu])

    def _slice(self, cpu: int, name: str | None) -> None:
        kinds = self._proto.TrackEvent
        kind = kinds.TYPE_SLICE_END if name is None else kinds.TYPE_SLICE_BEGIN
        packet = self._track_event(_SPACE_TRACKS + cpu, kind)
        if name is not None:
            packet.track_event.name = name

    def _name(self, packet: Any, name: str) -> None:  # noqa: ANN401
        """Name the event by a number; the first time, say which name that is."""
        number = self._names.get(name)
        if number is None:
            number = self._names[name] = len(self._names) + 1
            packet.interned_data.event_names.add(iid=number, name=name)
        packet.track_event.name_iid = number
