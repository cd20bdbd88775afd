# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hypervisor prints never tears what the guest prints, and never makes the guest wait."""

from __future__ import annotations

import errno
import threading
import time
from typing import TYPE_CHECKING

from openvmi.cli import _stage
from openvmi.cli._stage import Stage

if TYPE_CHECKING:
    import pytest


class Seen:
    """A stage that writes into a list."""

    def __init__(self, *, console: bool = True) -> None:
        self.data = b""
        self.stage = Stage(self.take if console else None, lambda _, data: self.take(data))

    def take(self, data: bytes) -> None:
        self.data += data


def test_a_line_waits_for_the_end_of_the_consoles() -> None:
    seen = Seen()
    seen.stage.show(b"[ 0.1] boo")
    seen.stage.say(1, b"mine\n")
    seen.stage.answer(b"x")
    assert seen.data == b"[ 0.1] boo"
    seen.stage.show(b"ting\n[ 0.2] ne")
    assert seen.data == b"[ 0.1] booting\nmine\n[ 0.2] ne"
    seen.stage.close()


def test_a_prompt_does_not_keep_it_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stage, "_PATIENCE", 0.01)
    seen = Seen()
    seen.stage.show(b"# ")
    seen.stage.say(1, b"mine\n")
    time.sleep(0.02)
    seen.stage.nudge()
    seen.stage.answer(b"x")
    assert seen.data == b"# \nmine\n"
    seen.stage.close()


def test_at_a_lines_start_it_is_written_at_once() -> None:
    seen = Seen()
    seen.stage.show(b"done\n")
    seen.stage.say(1, b"mine\n")
    seen.stage.answer(b"x")
    assert seen.data == b"done\nmine\n"
    seen.stage.close()


def test_without_a_console_only_the_hypervisor_is_heard() -> None:
    seen = Seen(console=False)
    seen.stage.show(b"console")
    seen.stage.say(1, b"mine\n")
    seen.stage.close()
    assert seen.data == b"mine\n"


def test_a_voice_says_whole_lines_of_each_thread() -> None:
    seen = Seen()
    voice = seen.stage.voice(1)
    print("one", end="", file=voice)
    thread = threading.Thread(target=lambda: print("two\nthree", file=voice))
    thread.start()
    thread.join()
    print(" more", file=voice)
    print("no end", end="", file=voice)
    voice.finish()
    seen.stage.close()
    assert seen.data == b"two\nthree\none more\nno end\n"


def test_what_can_not_be_written_is_counted() -> None:
    def full(fd: int, data: bytes) -> None:
        del data
        raise OSError(errno.EPIPE if fd == 2 else errno.ENOSPC, "No space left on device")

    stage = Stage(None, full)
    for fd in (1, 1, 2):
        stage.say(fd, b"line\n")
    stage.close()
    assert (stage.failed, stage.why) == (2, "No space left on device")


def test_what_nobody_takes_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stage, "_MOST", 3)
    seen = Seen()
    for number in range(5):
        seen.stage.say(1, b"%d\n" % number)
    assert seen.stage.dropped == 2
    seen.stage.close()
    assert seen.data == b"0\n1\n2\n"
