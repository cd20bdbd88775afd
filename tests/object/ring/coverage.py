# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A state machine is run until all that it is about has happened."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

RUNS = 6
"""At most: what is rare does not happen in each."""
PHASES = (Phase.explicit, Phase.generate)  # to shrink takes minutes, and the steps are few


def run_until_seen(
    model: type[RuleBasedStateMachine], total: Mapping[str, int], wanted: Collection[str], *, examples: int, steps: int
) -> None:
    """Run ``model`` until it has added something to each of ``wanted`` in ``total``, six times at most.

    Args:
        model: adds to ``total`` when a sequence ends.
        total: how often each thing has happened.
        wanted: what has to happen.
        examples: sequences in a run.
        steps: in a sequence, at most.
    """
    limits = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=False,
        phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )
    for _ in range(RUNS):
        run_state_machine_as_test(model, settings=limits)
        if all(total[name] for name in wanted):
            return
    pytest.fail(f"not all that is to be seen has happened: {dict(total)}")
