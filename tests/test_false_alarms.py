"""The quick part of `tests.false_alarms`: few healthy checkpoints, trained here, raise no alarm."""

import pytest

from tests.false_alarms import HEALTHY, Trial, alarms, table, trial


@pytest.fixture(scope="module")
def healthy() -> list[Trial]:
    return [trial("digits", loss, steps=150) for loss in ("infonce", "supcon", "triplet")]


def test_healthy_checkpoints_raise_no_alarm(healthy: list[Trial]) -> None:
    assert all(one.auc > HEALTHY for one in healthy)
    assert {one.label: alarms(one.found) for one in healthy} == {one.label: [] for one in healthy}


def test_nearly_all_rules_were_checked(healthy: list[Trial]) -> None:
    assert all(len(one.found.examined.clear) + len(one.found.findings) >= 10 for one in healthy)


def test_an_untrained_checkpoint_raises_alarms() -> None:
    assert alarms(trial("digits", "triplet", steps=1).found) != []


def test_the_table_counts_all(healthy: list[Trial]) -> None:
    lines = table(healthy).splitlines()
    assert lines[-1].startswith("| checkpoints | 3 | | 0 | 0 [0,")
    checked = sum(len(one.found.examined.clear) + len(one.found.findings) for one in healthy)
    assert lines[-2].startswith(f"| all rules | {checked} |")
