# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who makes a call: synthetic task records of a Linux, at offsets that nobody tells the reader."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.errors import InputError, UsageError
from openvmi.hypervisor.tasks import PAGE_OFFSET, BundledTasks, LinuxTasks, Task

from .fakes import MIB, Ram

LIST, PID, COMM = 0x1B4, 0x1F0, 0x2A8
FIRST = 0x10A340


def reader(ram: Ram, address: int, length: int) -> bytes:
    try:
        return ram.read(address, length)
    except UsageError as error:
        raise InputError("no RAM") from error


class FakeLinux:
    """Three tasks and their stacks."""

    def __init__(self) -> None:
        self.ram = Ram(4 * MIB)
        self.tasks = [FIRST, 0x200100, 0x201100]
        self.stacks = [0x120000, 0x300000, 0x302000]
        for pid, (task, stack) in enumerate(zip(self.tasks, self.stacks, strict=True)):
            self.ram.number(task + 4, stack + PAGE_OFFSET)
            self.ram.number(stack, task + PAGE_OFFSET)
            self.ram.number(task + LIST, self.tasks[(pid + 1) % 3] + LIST + PAGE_OFFSET)
            self.ram.number(task + LIST + 4, self.tasks[pid - 1] + LIST + PAGE_OFFSET)
            self.ram.number(task + PID, pid)
            self.ram.number(task + PID + 4, pid)
            self.ram.write(task + COMM, [b"swapper", b"init", b"kthreadd"][pid].ljust(16, b"\0"))

    def tasks_of(self) -> LinuxTasks:
        return LinuxTasks(lambda address, length: reader(self.ram, address, length), bytes(self.ram.data[: 2 * MIB]))


def test_all_three_are_known() -> None:
    linux = FakeLinux()
    tasks = linux.tasks_of()
    found = [tasks.current(stack + PAGE_OFFSET + 0x1E80) for stack in linux.stacks]
    assert found == [
        Task(0, "swapper", FIRST + PAGE_OFFSET),
        Task(1, "init", 0x200100 + PAGE_OFFSET),
        Task(2, "kthreadd", 0x201100 + PAGE_OFFSET),
    ]
    assert str(found[1]) == "init[1]"


def test_a_number_is_not_guessed_before_there_are_three() -> None:
    linux = FakeLinux()
    linux.ram.number(linux.tasks[1] + LIST, FIRST + LIST + PAGE_OFFSET)
    task = linux.tasks_of().current(linux.stacks[1] + PAGE_OFFSET + 0x100)
    assert task == Task(None, "init", 0x200100 + PAGE_OFFSET)
    assert str(task) == "init[?]"


def test_a_thread_has_a_number_of_its_own() -> None:
    linux = FakeLinux()
    task, stack = 0x202100, 0x304000
    linux.ram.number(task + 4, stack + PAGE_OFFSET)
    linux.ram.number(stack, task + PAGE_OFFSET)
    linux.ram.number(task + PID, 9)
    linux.ram.number(task + PID + 4, 1)
    found = linux.tasks_of().current(stack + PAGE_OFFSET + 0x100)
    assert found
    assert found.pid == 9


def test_a_stale_word_in_the_middle_of_a_stack_is_not_believed() -> None:
    linux = FakeLinux()
    linux.ram.number(linux.stacks[1] + 0x1000, linux.tasks[2] + PAGE_OFFSET)
    found = linux.tasks_of().current(linux.stacks[1] + PAGE_OFFSET + 0x1F00)
    assert found
    assert found.comm == "init"


def test_what_is_no_kernel_stack_is_nobody() -> None:
    linux = FakeLinux()
    tasks = linux.tasks_of()
    for esp in (0, 0x8048000, PAGE_OFFSET + 0x380000, 0xFFFFFFF0):
        assert tasks.current(esp) is None


def test_no_linux_no_tasks() -> None:
    ram = Ram(MIB)
    tasks = LinuxTasks(lambda address, length: reader(ram, address, length), bytes(ram.data))
    assert not tasks.known
    assert tasks.current(PAGE_OFFSET + 0x2000) is None


@given(
    st.lists(st.tuples(st.integers(0, 2 * MIB), st.binary(min_size=4, max_size=4)), max_size=8), st.integers(0, 1 << 32)
)
def test_a_hostile_guest_raises_nothing(patches: list[tuple[int, bytes]], esp: int) -> None:
    linux = FakeLinux()
    for at, data in patches:
        linux.ram.data[at : at + 4] = data
    tasks = linux.tasks_of()
    for stack in (esp, linux.stacks[1] + PAGE_OFFSET):
        task = tasks.current(stack)
        assert task is None or task.comm.isprintable()


def test_an_image_full_of_what_may_be_the_first_task_takes_no_time() -> None:
    page = PAGE_OFFSET.to_bytes(4, "little") * 1020 + b"swapper".ljust(16, b"\0")
    image = bytes(len(page)) + page * (32 * MIB // len(page))
    began = time.process_time()
    assert not LinuxTasks(lambda _address, length: bytes(length), image).known
    assert time.process_time() - began < 3


@pytest.mark.parametrize(("esp", "pid"), [(0xC0101F00, 7), (0xC0103F00, None), (0, None)])
def test_the_bundled_guest(esp: int, pid: int | None) -> None:
    ram = Ram(MIB)
    for slot, (number, stack) in enumerate([(7, 0xC0100000), (0, 0xC0102000)]):
        ram.number(0x5000 + slot * 64 + 8, 1 if number else 0)
        ram.number(0x5000 + slot * 64 + 12, number)
        ram.number(0x5000 + slot * 64 + 28, stack)
    found = BundledTasks(lambda address, length: reader(ram, address, length), PAGE_OFFSET + 0x5000, 64 * 64).current(
        esp
    )
    assert (found.pid if found else None) == pid
