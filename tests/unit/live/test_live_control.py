# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket: what it does, whom it listens to, and what it survives."""

from __future__ import annotations

import errno
import json
import mmap
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openvmi.abi import Call, wire
from openvmi.abi.wire import GuestState, Mode
from openvmi.errors import HarnessError, InputError, UsageError
from openvmi.hypervisor import control, control_wire
from openvmi.hypervisor.control import ControlServer
from openvmi.hypervisor.control_client import ControlClient, machines
from openvmi.hypervisor.fingerprint import Range, find_text
from openvmi.hypervisor.link import Link
from openvmi.hypervisor.session import Session

from .wired import HEADER, Cpu, FakeSession, Wired

POLICY = """
from openvmi.hypervisor.base import Hypervisor
from openvmi.hypervisor.answers import Value

class Mine(Hypervisor):
    def get_cr2(self, vcpu):
        return Value(77)
"""


def until(condition: Callable[[], object], seconds: float = 3.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def raw(name: str = "box") -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(5)
    made.connect(str(control_wire.folder() / f"{name}.sock"))
    return made


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.py"
    file.write_text(POLICY)
    return file


@pytest.mark.usefixtures("server")
def test_a_machine_tells_about_itself(wired: Wired) -> None:
    assert machines() == ["box"]
    with ControlClient() as client:
        status = cast("dict[str, Any]", client.ask(op="status"))
    assert (status["name"], status["pid"], status["cpus"], status["hypervisor"]) == ("box", os.getpid(), 2, "")
    assert set(status["modes"]) == {call.name for call in wired.board.switchable}
    assert set(status["modes"].values()) == {"native"}


@pytest.mark.usefixtures("server")
def test_attach_switch_and_detach_by_socket(wired: Wired, policy: Path) -> None:
    with ControlClient("box") as client:
        attached = cast("dict[str, Any]", client.ask(op="attach", hypervisor=str(policy)))
        assert attached["calls"] == {"GetCR2": ["native", "upcall"]}
        assert Cpu(wired, 0).call(Call.GetCR2) == 77
        switched = cast("dict[str, Any]", client.ask(op="switch", mode="count", calls="setcr3,SetPxE"))
        assert switched["calls"] == {"SetCR3": ["native", "count"], "SetPxE": ["native", "count"]}
        detached = cast("dict[str, Any]", client.ask(op="detach"))
        assert detached["calls"]["GetCR2"] == ["upcall", "native"]
        assert detached["outstanding"] == []
        before, after = detached["fingerprints"]["dispatch"]
        assert before == after
        assert len(after) == 64
        assert detached["fingerprints"]["text"] == ["", ""]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("where", [wire.WIRE_CODE_OFFSET + 20, wire.WIRE_TABLES_OFFSET, 256])
def test_what_is_not_as_before_has_another_fingerprint(wired: Wired, policy: Path, where: int) -> None:
    with ControlClient() as client:
        client.ask(op="attach", hypervisor=str(policy))
        wired.link.bytes[where] ^= 1
        prints = cast("dict[str, Any]", client.ask(op="detach"))["fingerprints"]
        assert prints["dispatch"][0] != prints["dispatch"][1]


def elf(size: int = 0x300) -> bytes:
    """A 32-bit ELF whose .text lies at 0xc0001000, physically 0x1000."""
    strings = b"\0.text\0.shstrtab\0"
    head = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0, 52, 84, 0, 52, 32, 1, 40, 3, 2)
    segment = struct.pack("<8I", 1, 0, 0xC0000000, 0, 0x2000, 0x2000, 5, 4096)
    text = struct.pack("<10I", 1, 1, 6, 0xC0001000, 0, size, 0, 0, 16, 0)
    table = struct.pack("<10I", 7, 3, 0, 0, 84 + 120, len(strings), 0, 0, 1, 0)
    return head + segment + bytes(40) + text + table + strings


def test_the_text_of_a_kernel_is_part_of_what_is_compared(
    session: FakeSession, wired: Wired, policy: Path, tmp_path: Path
) -> None:
    (tmp_path / "kernel").write_bytes(elf())
    assert find_text(tmp_path / "kernel") == Range(0x1000, 0x300)
    wired.link.words[HEADER["guest_state"]] = GuestState.ACTIVE
    with ControlServer(cast("Session", session), "elf"), ControlClient("elf") as client:
        client.ask(op="attach", hypervisor=str(policy))
        same = cast("dict[str, Any]", client.ask(op="detach"))["fingerprints"]["text"]
        assert same[0] == same[1] != ""
        client.ask(op="switch", mode="count", calls="all")
        session.machine.ram.bytes[0x12FF] ^= 1
        other = cast("dict[str, Any]", client.ask(op="detach"))["fingerprints"]["text"]
        assert other[0] == same[0] != other[1]
    assert not wired.link.fault


def test_the_text_of_a_kernel_that_has_not_asked_yet_is_still_to_change(
    session: FakeSession, wired: Wired, policy: Path, tmp_path: Path
) -> None:
    (tmp_path / "kernel").write_bytes(elf())
    with ControlServer(cast("Session", session), "early"), ControlClient("early") as client:
        client.ask(op="attach", hypervisor=str(policy))
        session.machine.ram.bytes[0x1200] ^= 1
        wired.link.words[HEADER["guest_state"]] = GuestState.ACTIVE
        prints = cast("dict[str, Any]", client.ask(op="detach"))["fingerprints"]
        assert prints["text"][0] == prints["text"][1] != ""
        assert prints["dispatch"][0] == prints["dispatch"][1] != ""


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 340), st.integers(0, 255)), max_size=12), st.integers(0, 400))
def test_a_kernel_may_be_anything(tmp_path: Path, damage: list[tuple[int, int]], length: int) -> None:
    data = bytearray(elf())
    for at, value in damage:
        data[at % len(data)] = value
    (tmp_path / "k").write_bytes(data[:length])
    find_text(tmp_path / "k")


def test_the_text_of_a_bzimage_is_found_in_what_it_unpacks(tmp_path: Path) -> None:
    import bz2
    import gzip
    import lzma

    for pack in (gzip.compress, bz2.compress, lambda data: lzma.compress(data, lzma.FORMAT_ALONE), lzma.compress):
        packed = pack(elf())
        image = bytearray(1024)
        image[0x1F1] = 1
        image[0x202:0x208] = b"HdrS\x08\x02"
        struct.pack_into("<II", image, 0x248, 16, len(packed))
        (tmp_path / "bz").write_bytes(bytes(image) + bytes(16) + packed)
        assert find_text(tmp_path / "bz") == Range(0x1000, 0x300)
        (tmp_path / "bz").write_bytes(bytes(image) + bytes(16) + packed[:-40])
        find_text(tmp_path / "bz")
    image[0x206] = 7
    (tmp_path / "bz").write_bytes(bytes(image) + bytes(16) + packed)
    assert find_text(tmp_path / "bz") is None


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"op": "fly"}, "can't do that"),
        ({"op": ["status"]}, "can't do that"),
        ({}, "can't do that"),
        ({"op": "switch", "mode": "count", "calls": "SetPxE,Nothing"}, "no call is named"),
        ({"op": "switch", "mode": "count", "calls": 7}, "not a text"),
        ({"op": "switch", "mode": "count", "calls": "APICRead"}, "can't be switched"),
        ({"op": "switch", "mode": "warp", "calls": "SetPxE"}, "no such mode"),
        ({"op": "switch", "mode": "python", "calls": "SetPxE"}, "does not answer"),
        ({"op": "attach", "hypervisor": "/nowhere.py"}, "no such file"),
        ({"op": "attach"}, "not a text"),
        ({"op": "trace", "calls": "all", "low": -1}, "not an address"),
        ({"op": "trace", "calls": "all", "low": True}, "not an address"),
        ({"op": "trace", "calls": "all", "low": 5, "high": 5}, "not a range"),
    ],
)
def test_what_can_not_be_done_is_said_and_changes_nothing(wired: Wired, request_: dict[str, Any], said: str) -> None:
    with ControlClient() as client:
        with pytest.raises((UsageError, HarnessError), match=said):
            client.ask(**request_)
        assert {wired.link.mode(call) for call in Call} == {Mode.NATIVE}
        assert client.ask(op="trace", calls="SetPxE")["ok"]


@pytest.mark.usefixtures("server")
def test_a_file_that_ends_the_program_ends_nothing_here(tmp_path: Path) -> None:
    (tmp_path / "exit.py").write_text("raise SystemExit(3)")
    with ControlClient() as client:
        with pytest.raises((UsageError, HarnessError), match="SystemExit"):
            client.ask(op="attach", hypervisor=str(tmp_path / "exit.py"))
        assert client.ask(op="status")["ok"]


ONLY_EXITS = """
from openvmi.hypervisor.ring import Ring
class Ports(Ring):
    def on_out(self, vcpu, port, size, value):
        return None
"""


@pytest.mark.usefixtures("server")
def test_who_would_never_be_asked_is_not_attached(wired: Wired, tmp_path: Path) -> None:
    (tmp_path / "ports.py").write_text(ONLY_EXITS)
    with ControlClient() as client:
        with pytest.raises(UsageError, match="on_out") as error:
            client.ask(op="attach", hypervisor=str(tmp_path / "ports.py"))
        assert "openvmi run --hypervisor" in error.value.help
        assert {wired.link.mode(call) for call in Call} == {Mode.NATIVE}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.builds(lambda depth: b"[" * depth, st.integers(0, 30_000))))
@pytest.mark.usefixtures("server")
def test_whatever_is_sent_the_next_one_is_served(data: bytes) -> None:
    with raw() as hostile:
        hostile.sendall(data + b"\n")
        assert json.loads(hostile.makefile("rb").readline() or b"{}").get("ok") is not True
    with ControlClient() as client:
        assert client.ask(op="status")["ok"]


@pytest.mark.usefixtures("server")
def test_a_line_without_end_is_hung_up_on() -> None:
    with raw() as hostile:
        with suppress(OSError):
            hostile.sendall(b"x" * 500_000)
        with suppress(OSError):
            assert hostile.recv(10) == b""
        with ControlClient() as client:
            assert client.ask(op="status")["ok"]


@pytest.mark.usefixtures("server")
def test_descriptors_that_nobody_asked_for_are_closed() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    read, write = os.pipe()
    with raw() as hostile:
        for _ in range(20):
            socket.send_fds(hostile, [b'{"op":"status"}\n'], [read, read])
            assert hostile.recv(65536)
    os.close(read)
    os.close(write)
    until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)


def test_too_many_connections_are_hung_up_on(server: ControlServer) -> None:
    held = [raw() for _ in range(12)]
    until(lambda: len(server._peers) == 8)
    for each in held:
        each.close()
    until(lambda: not server._peers)
    with ControlClient() as client:
        assert client.ask(op="status")["ok"]


@pytest.mark.usefixtures("server")
def test_other_users_are_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    other_user = os.getuid() + 1
    with raw() as peer, monkeypatch.context() as patched:
        assert control_wire.same_user(peer)
        patched.setattr(os, "getuid", lambda: other_user)
        assert not control_wire.same_user(peer)
    monkeypatch.setattr(control_wire, "same_user", lambda _: False)
    with raw() as other:
        assert other.recv(10) == b""


@pytest.mark.usefixtures("server")
def test_a_machine_that_runs_out_of_descriptors_listens_again(monkeypatch: pytest.MonkeyPatch) -> None:
    accept, failed = socket.socket.accept, threading.Event()

    def fails(self: socket.socket) -> tuple[socket.socket, Any]:
        if failed.is_set():
            return accept(self)
        failed.set()
        raise OSError(errno.EMFILE, "too many open files")

    with ControlClient() as client:  # who waits in accept() has gone past it
        monkeypatch.setattr(socket.socket, "accept", fails)
        assert client.ask(op="status")["ok"]
    for _ in range(2):
        with ControlClient() as client:
            assert client.ask(op="status")["ok"]
    assert failed.is_set()


def test_the_socket_goes_with_the_machine(session: FakeSession) -> None:
    with ControlServer(cast("Session", session), "gone"):
        assert (control_wire.folder() / "gone.sock").is_socket()
        client = ControlClient("gone")
    assert not list(control_wire.folder().iterdir())
    assert client.gone(3.0)
    with pytest.raises(HarnessError):
        client.ask(op="status")
    client.close()
    with pytest.raises(UsageError, match="no machine of that name"):
        ControlClient("gone")
    with pytest.raises(UsageError, match="no machine is running"):
        ControlClient()


def test_the_socket_of_a_dead_machine_is_replaced_and_not_listed(session: FakeSession) -> None:
    with control_wire.opened_folder(make=True) as fd:
        assert fd is not None
        for name in ("dead", "gone"):
            control_wire.listen(fd, name).close()
    with ControlServer(cast("Session", session), "dead"):
        assert machines() == ["dead"]
        assert [file.name for file in control_wire.folder().iterdir()] == ["dead.sock"]
    assert machines() == []


@pytest.mark.usefixtures("server")
def test_two_machines_can_not_have_one_name(session: FakeSession) -> None:
    with pytest.raises(UsageError, match="of that name is running"), ControlServer(cast("Session", session), "box"):
        pass
    with ControlServer(cast("Session", session), "other"), pytest.raises(UsageError, match="several"):
        ControlClient()
    with ControlClient() as client:
        assert client.ask(op="status")["name"] == "box"


@pytest.mark.parametrize("name", ["../x", ".x", "", "a" * 65, "a b", "a\n", "ä"])
def test_a_name_is_a_word(name: str) -> None:
    with pytest.raises(UsageError):
        control_wire.check_name(name)


def test_a_folder_that_others_can_write_to_is_refused(runtime: Path, session: FakeSession) -> None:
    folder = runtime / "openvmi"
    folder.mkdir(mode=0o700)
    folder.chmod(0o770)
    with pytest.raises(HarnessError, match="others may write"), ControlServer(cast("Session", session), "box"):
        pass
    with ControlServer(cast("Session", session)) as server:
        assert "others may write" in server.warning
    folder.rmdir()
    folder.symlink_to("/tmp")  # noqa: S108
    with pytest.raises(HarnessError, match="no place"), ControlServer(cast("Session", session), "box"):
        pass


def test_a_long_runtime_folder_is_no_trouble(
    tmp_path: Path, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with ControlServer(cast("Session", session)), ControlClient() as client:
        assert client.ask(op="status")["pid"] == os.getpid()


def test_without_a_runtime_folder_there_is_one_in_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert control_wire.folder() == Path(f"/tmp/openvmi-{os.getuid()}")  # noqa: S108
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert control_wire.folder() == Path(f"/tmp/openvmi-{os.getuid()}")  # noqa: S108


def test_who_traces_gets_the_memory_and_calls_go_back_when_it_leaves(wired: Wired, server: ControlServer) -> None:
    wired.board.switch(Mode.COUNT, [Call.SetCR3])
    client = ControlClient()
    cpu = Cpu(wired, 1)
    cpu.record(Call.SetPxE, count=5)
    told = client.ask(op="trace", calls="SetCR3,SetPxE", low=0xC0100000, high=0xC0200000)
    assert told["asked"] == []
    fd = client.descriptors()[0]
    cpu.record(Call.SetPxE, count=3)
    with mmap.mmap(fd, wire.WIRE_SIZE) as memory:
        link = Link(memory, 2, None)
        assert len(link.drain(1)) == 96  # what came since the calls were switched, however late we are
        cpu.record(Call.SetPxE, count=2)
        assert len(link.drain(1)) == 64
        assert link.drain(0) == b""
        del link
    os.close(fd)
    with ControlClient() as second, pytest.raises(UsageError, match="somebody is tracing"):
        second.ask(op="trace", calls="all")
    assert (wired.link.mode(Call.SetCR3), wired.link.mode(Call.SetPxE)) == (Mode.TRACE, Mode.TRACE)
    wired.board.switch(Mode.COUNT, [Call.SetPxE])  # not the tracer's any more
    client.close()
    until(lambda: server._tracer is None)
    assert (wired.link.mode(Call.SetCR3), wired.link.mode(Call.SetPxE)) == (Mode.COUNT, Mode.COUNT)


@pytest.mark.usefixtures("server")
def test_calls_that_python_answers_are_not_taken_from_it_by_a_trace(wired: Wired, policy: Path) -> None:
    with ControlClient() as client:
        client.ask(op="attach", hypervisor=str(policy))
        assert client.ask(op="trace", calls="all")["asked"] == ["GetCR2"]
        assert wired.link.mode(Call.GetCR2) is Mode.UPCALL
        assert wired.link.mode(Call.GetCR3) is Mode.TRACE
        assert len(cast("list[str]", client.ask(op="end")["calls"])) == len(wired.board.switchable) - 1
        assert wired.link.mode(Call.GetCR3) is Mode.NATIVE


@pytest.mark.usefixtures("server")
def test_calls_that_others_traced_are_counted_while_somebody_takes_records(wired: Wired) -> None:
    wired.board.switch(Mode.TRACE, [Call.IRET, Call.SetCR3])
    with ControlClient() as client:
        client.ask(op="trace", calls="SetPxE,SetCR3")
        assert [wired.link.mode(call) for call in (Call.IRET, Call.SetCR3)] == [Mode.COUNT, Mode.TRACE]
        client.ask(op="end")
        assert [wired.link.mode(call) for call in (Call.IRET, Call.SetCR3)] == [Mode.TRACE, Mode.TRACE]
        assert wired.link.mode(Call.SetPxE) is Mode.NATIVE


@pytest.mark.usefixtures("server")
def test_where_the_payload_wrote_last_is_no_part_of_what_is_compared(wired: Wired, policy: Path) -> None:
    with ControlClient() as client:
        client.ask(op="attach", hypervisor=str(policy))
        window = wire.WIRE_TABLES_OFFSET + 4 * (wire.WIRE_WINDOWS_OFFSET >> 12)
        wired.link.bytes[window + 5] ^= 1
        prints = cast("dict[str, Any]", client.ask(op="detach"))["fingerprints"]
        assert prints["dispatch"][0] == prints["dispatch"][1]


@pytest.mark.usefixtures("server")
def test_a_detach_ends_a_trace(wired: Wired) -> None:
    with ControlClient() as tracer, ControlClient() as client:
        tracer.ask(op="trace", calls="all")
        assert not tracer.gone()
        client.ask(op="detach")
        assert tracer.gone(2.0)
    assert {wired.link.mode(call) for call in Call} == {Mode.NATIVE}


def test_a_machine_whose_rings_are_emptied_here_can_not_be_traced(session: FakeSession) -> None:
    with (
        ControlServer(cast("Session", session), drained=True),
        ControlClient() as client,
        pytest.raises(UsageError, match="somebody is tracing"),
    ):
        client.ask(op="trace", calls="all")


def test_many_at_once_are_served_one_after_another(wired: Wired, server: ControlServer, policy: Path) -> None:
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            with ControlClient() as client:
                for _ in range(20):
                    client.ask(op="attach", hypervisor=str(policy))
                    client.ask(op="switch", mode=("count", "trace")[number % 2], calls="all")
                    client.ask(op="detach")
        except Exception as error:  # noqa: BLE001 - it is looked at below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert not wired.link.fault
    until(lambda: not server._peers)


def test_a_message_that_is_too_long_is_refused_here() -> None:
    with pytest.raises(InputError, match="bytes"):
        control_wire.encode({"x": "y" * control_wire.MAX_LINE})
    assert control._said(None) == ""
