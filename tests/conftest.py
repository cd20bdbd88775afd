# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for all tests: Ctrl-C works in them, no example has a deadline, and skips can be outlawed.

OPENVMI_REQUIRE=all makes skips that are not expected failures.
"""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

# What may be missing even where everything is required, by the first word of the reason.
EXPECTED_SKIPS = frozenset({"ia32:", "kernel:"})

# Unit tests that execute ROM images, read whole kernels, play a hostile guest with threads, or wait for processes.
LONG = (
    *("/unit/check/", "/unit/lint/", "/unit/live/", "/unit/hosted/", "/unit/trace/"),
    *(f"/unit/machine/test_{name}.py" for name in ("endings", "early", "engine", "plugin", "robust")),
)


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the process: a busy machine is no failure of an example."""
    settings.register_profile("openvmi", deadline=None)
    settings.load_profile("openvmi")
    config.addinivalue_line("markers", "long: a unit test that takes its time; `make unit` leaves it out")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is long."""
    for item in items:
        path = item.path.as_posix()
        if any(place in path for place in LONG):
            item.add_marker("long")


def pytest_runtest_setup() -> None:
    """Undo what a shell does to its background jobs, and the end of a command to the process that it ran in."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):  # type: ignore[no-untyped-def] # noqa: ANN201 - pluggy's generator
    """Turn a skip that was not expected into a failure, with its reason."""
    outcome = yield
    report = outcome.get_result()
    required = os.environ.get("OPENVMI_REQUIRE", "")
    if required != "all" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    word = reason.removeprefix("Skipped: ").split(" ", 1)[0]
    if word not in EXPECTED_SKIPS:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped where everything is required: {reason}"
