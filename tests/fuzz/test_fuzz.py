# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The fuzzer's targets with damaged seeds from hypothesis, in every test run; what is made of the fuzzer's words."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .__main__ import tell
from .targets import SECONDS, TARGETS, Target

SEEDS = {name: target.seeds() for name, target in TARGETS.items()}
_EXAMPLES = {"check": 10, "trace": 25}
_WORDS = st.sampled_from([b"\0\0\0\0", b"\x01\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\x10\xc0", b"\n"])
_CHANGE = st.tuples(
    st.sampled_from(("replace", "insert", "delete", "cut", "repeat")),
    st.integers(0, 1 << 16),
    st.one_of(_WORDS, st.binary(min_size=1, max_size=8)),
)


def damaged(seed: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    data = bytearray(seed)
    for how, place, content in changes:
        at = place % (len(data) + 1)
        if how == "replace":
            data[at : at + len(content)] = content
        elif how == "insert":
            data[at:at] = content
        elif how == "delete":
            del data[at : at + len(content)]
        elif how == "repeat":
            data[at:at] = data[at : at + 64] * len(content)
        else:
            del data[at:]
    return bytes(data)


def run_in_time(target: Target, data: bytes) -> None:
    began = time.process_time()
    target.run(data[: target.largest])
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    for seed in SEEDS[name]:
        run_in_time(TARGETS[name], seed)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_seeds(name: str) -> None:
    @settings(max_examples=_EXAMPLES.get(name, 100), suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(SEEDS[name]), st.lists(_CHANGE, max_size=8))
    def run(seed: bytes, changes: list[tuple[str, int, bytes]]) -> None:
        run_in_time(TARGETS[name], damaged(seed, changes))

    run()


FINE = """\
#3\tINITED cov: 320 ft: 400 corp: 3/10Kb exec/s: 0 rss: 60Mb
#9000\tDONE   cov: 410 ft: 900 corp: 30/100Kb exec/s: 300 rss: 70Mb
stat::number_of_executed_units: 9000
stat::slowest_unit_time_sec:    1
stat::peak_rss_mb:              70
"""


@pytest.mark.parametrize(
    ("status", "said", "code", "words"),
    [
        (0, FINE, 0, "9000 inputs, 320 -> 410 places covered, slowest 1 s, 70 MB"),
        (0, FINE.replace("320", "2"), 125, "sees nothing of the code"),
        (0, FINE.replace("units: 9000", "units: 1"), 125, "runs nothing"),
        (0, "", 125, "sees nothing"),
        (77, FINE + "=== Uncaught Python exception: ===\nKeyError: 3\n", 1, "KeyError: 3"),
        (70, "ALARM: working on the last Unit for 11 seconds\n", 1, "working on the last Unit"),
    ],
)
def test_what_is_made_of_the_fuzzers_words(
    status: int, said: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell("rom", status, said) == code
    assert words in capsys.readouterr().out
