# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin: machines as a fixture, with their logs in the failure's report.

    def test_my_kernel(vm):
        machine = vm(kernel="kernel.elf", expect_report=True)
        assert machine.wait().ok

Registered by the package itself, so it imports nothing of ours, and nothing heavy, until a machine is asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .machine import Machine, MachineConfig

_CONSOLE_SHOWN = 16384


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options to pytest's."""
    group = parser.getgroup("openvmi", "virtual machines (openvmi)")
    group.addoption(
        "--openvmi-accel",
        default="auto",
        choices=("auto", "tcg", "kvm"),
        help="accelerator of machines whose test does not choose one",
    )
    group.addoption(
        "--openvmi-timeout",
        type=float,
        metavar="S",
        help="time limit in seconds of machines whose test does not choose one (default: 60)",
    )
    group.addoption(
        "--openvmi-keep-logs",
        metavar="DIR",
        help="write each machine's console and result channel to files in DIR, also when the test passes",
    )


class VmFactory:
    """Makes the machines of one test.

    Args:
        config: pytest's configuration, with our options.
        name: the test's, for the names of logs.

    Attributes:
        machines: those made, in order.
    """

    def __init__(self, config: pytest.Config, name: str) -> None:
        self._config = config
        self._name = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")
        self.machines: list[Machine] = []

    def __call__(self, config: MachineConfig | None = None, /, **changes: object) -> Machine:
        """Start a machine and return it; the fixture ends it with the test.

        Args:
            config: a whole configuration, taken as it is.
            changes: the arguments of :class:`openvmi.machine.MachineConfig` instead.
        """
        from .errors import HarnessError  # noqa: PLC0415 - see the module's docstring
        from .machine import Machine, MachineConfig, find_qemu  # noqa: PLC0415

        if config is None:
            config = MachineConfig(**{**self._defaults(), **changes})  # type: ignore[arg-type] # the caller's keywords
        try:
            find_qemu(config.qemu)
        except HarnessError as error:
            pytest.skip(f"qemu: {error}")
        machine = Machine(config)
        machine.start()
        self.machines.append(machine)
        return machine

    def sections(self) -> Iterator[tuple[str, str]]:
        """Yield title and text of what the machines said, for a report."""
        for number, machine in enumerate(self.machines):
            title = f"machine {number}" + (f" ({machine.outcome.reason})" if machine.outcome else "")
            yield f"{title}: console", machine.console.text[-_CONSOLE_SHOWN:]
            lines = "\n".join(f"{line.at / 1e6:10.3f} ms  {line.verb} {line.text}" for line in machine.result.lines)
            yield f"{title}: result channel", lines

    def close(self) -> None:
        """End all machines, and write their logs when they are wanted."""
        for machine in self.machines:
            machine.close()
        folder = self._config.getoption("--openvmi-keep-logs")
        if folder:
            self._write_logs(str(folder))

    def _defaults(self) -> dict[str, object]:
        defaults: dict[str, object] = {"accel": self._config.getoption("--openvmi-accel")}
        timeout = self._config.getoption("--openvmi-timeout")
        if timeout is not None:
            defaults["timeout"] = timeout
        return defaults

    def _write_logs(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - no imports, see the module's docstring
        for index, machine in enumerate(self.machines):
            stem = f"{folder}/{self._name}-{index}"
            results = "".join(f"{line.verb} {line.text}\n" for line in machine.result.lines)
            for kind, text in (("console", machine.console.text), ("result", results)):
                with open(f"{stem}.{kind}.log", "w", encoding="utf-8", newline="") as file:  # noqa: PTH123
                    file.write(text)


_FACTORY = pytest.StashKey[VmFactory]()


@pytest.fixture
def vm(request: pytest.FixtureRequest) -> Iterator[Callable[..., Machine]]:
    """Return a function that starts a machine; see :class:`VmFactory`."""
    factory = VmFactory(request.config, request.node.name)
    request.node.stash[_FACTORY] = factory
    try:
        yield factory
    finally:
        factory.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Attach what the machines said to the report of a test that failed."""
    report: pytest.TestReport = yield  # type: ignore[assignment] # pluggy sends the result in
    factory = item.stash.get(_FACTORY, None)
    if factory is not None and report.failed:
        report.sections.extend((title, text) for title, text in factory.sections() if text)
    return report  # type: ignore[return-value] # and takes it back
