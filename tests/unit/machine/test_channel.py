# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The result channel against a guest that is broken or hostile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.machine.channel import LINE_LIMIT, LINES_LIMIT, ResultChannel, ResultLine


def fed(*pieces: bytes) -> ResultChannel:
    channel = ResultChannel()
    for at, piece in enumerate(pieces):
        channel.feed(piece, at)
    return channel


def test_lines_verbs_and_stamps() -> None:
    channel = fed(b"hello 1\nma", b"rk kernel\r\n\n", b"info rom  found\t0xc0000\nexit 3\n")
    assert channel.lines == [
        ResultLine("hello", "1", 0),
        ResultLine("mark", "kernel", 1),
        ResultLine("info", "rom  found 0xc0000", 2),
        ResultLine("exit", "3", 2),
    ]
    assert channel.lines[2].words == ["rom", "found", "0xc0000"]
    assert (channel.hello, channel.marks, channel.status, channel.cut) == ("1", {"kernel": 1}, 3, 0)
    assert channel.of("mark") == [ResultLine("mark", "kernel", 1)]


@given(st.binary(max_size=300), st.integers(1, 7))
def test_pieces_do_not_matter(data: bytes, step: int) -> None:
    whole, parts = ResultChannel(), ResultChannel()
    whole.feed(data, 0)
    for start in range(0, len(data), step):
        parts.feed(data[start : start + step], 0)
    for channel in (whole, parts):
        channel.finish(0)
    assert (whole.lines, whole.status, whole.cut) == (parts.lines, parts.status, parts.cut)


def test_long_lines_are_cut() -> None:
    channel = fed(b"info " + b"x" * 5000, b"x" * 5000 + b"\nexit 0\n")
    assert len("info " + channel.lines[0].text) == LINE_LIMIT
    assert (channel.cut, channel.status) == (1, 0)


def test_line_of_the_limit_is_whole() -> None:
    channel = fed(b"info " + b"x" * (LINE_LIMIT - 5) + b"\r\n")
    assert channel.cut == 0
    assert len(channel.lines[0].text) == LINE_LIMIT - 5


def test_bytes_that_are_not_ascii_are_replaced() -> None:
    channel = fed(b"info \x1b[2J\xff\0?\n", b"info what?\n")
    assert [line.text for line in channel.lines] == ["?[2J???", "what?"]
    assert channel.cut == 1


def test_first_word_counts() -> None:
    channel = fed(b"hello 1\nhello 2\npanic one\npanic two\nexit 1\nexit 2\nmark a\n", b"mark a\n")
    assert (channel.hello, channel.panic, channel.status, channel.marks) == ("1", "one", 1, {"a": 0})


@pytest.mark.parametrize("text", ["256", "-1", "", "x", "1 2", "9" * 400, "0x1", "0000"])
def test_what_is_not_a_status(text: str) -> None:
    channel = fed(f"exit {text}\n".encode())
    assert channel.status is None
    assert not channel.ended


def test_flood_is_counted() -> None:
    channel = fed(b"a\n" * (LINES_LIMIT + 5), b"exit 7\n")
    assert (len(channel.lines), channel.dropped, channel.status) == (LINES_LIMIT, 6, 7)


def test_last_line_without_its_end() -> None:
    channel = fed(b"exit 4")
    assert channel.status is None
    channel.finish(9)
    assert channel.lines == [ResultLine("exit", "4", 9)]
    assert channel.status == 4


def test_listener_hears_each_line() -> None:
    heard: list[str] = []
    channel = ResultChannel(lambda line: heard.append(line.verb))
    channel.feed(b"hello 1\nunknown thing\n", 0)
    assert heard == ["hello", "unknown"]
