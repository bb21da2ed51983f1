from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.diagnostics.findings.evidence import Evidence
from tests.checkpoint.made import sound
from tests.diagnostics.findings.cases import clear, cone_of, evidence, fired, healthy, state, under, unknown, with_state

RULES = ["at_chance", "nothing_active", "temperature_low", "temperature_high", "gradient_captured", "terms_fight"]


@pytest.fixture(scope="module")
def seen() -> Evidence:
    return healthy(n=200)


def noise(n: int = 384, d: int = 256) -> Evidence:
    return evidence(np.random.default_rng(0).normal(size=(n, d)), np.arange(n) % 8)


def test_at_chance() -> None:
    found = fired("at_chance", under(noise(), "infonce", temperature=0.5))
    assert (found.severity, found.confidence) == ("serious", "high")
    clear("at_chance", under(healthy(), "infonce", temperature=0.5))


def test_at_chance_at_the_edge(seen: Evidence) -> None:
    mixed = noise()
    fired("at_chance", with_state(mixed, value=np.full(3, 4.0 * 0.971)))
    clear("at_chance", with_state(mixed, value=np.full(3, 4.0 * 0.969)))
    clear("at_chance", with_state(seen, value=np.full(3, 4.0)))  # pairs are well apart
    # Near in value, but a fifth of the way: a hot loss moves little in all.
    levels = {"chance": np.full(3, 4.0), "perfect": np.full(3, 3.6)}
    clear("at_chance", with_state(mixed, value=np.full(3, 3.92), levels=levels))
    assert "no level of chance" in unknown("at_chance", with_state(mixed, levels={}))


def test_guessed_knobs_lower_the_confidence() -> None:
    found = fired("at_chance", with_state(noise(), value=np.full(3, 4.0), guessed=True))
    assert found.confidence == "low"
    assert "defaults and not yours" in found.sentence


def test_stuck_on_margin(seen: Evidence) -> None:
    point = evidence(cone_of(0.9995), np.arange(400) % 8)
    found = fired("stuck_on_margin", under(point, "triplet", margin=0.5, reduction="mean_active"))
    assert found.severity == "serious"
    clear("stuck_on_margin", under(healthy(), "triplet", margin=0.2, reduction="mean_active"))
    assert "no margin" in unknown("stuck_on_margin", under(healthy(), "infonce"))
    assert unknown("stuck_on_margin", seen) == "no loss was named"


def test_stuck_on_margin_at_the_edge() -> None:
    narrow = evidence(cone_of(0.8), np.arange(400) % 8)
    wide = evidence(cone_of(0.1), np.arange(400) % 8)

    def at(seen: Evidence, value: float) -> Evidence:
        return with_state(seen, knobs={"margin": 0.2}, value=np.full(3, value), levels={"collapse": np.full(3, 0.2)})

    fired("stuck_on_margin", at(narrow, 0.2 * 1.019))
    clear("stuck_on_margin", at(narrow, 0.2 * 1.021))
    clear("stuck_on_margin", at(wide, 0.2))  # spread out
    fired("stuck_on_margin", replace(at(evidence(cone_of(0.5)), 0.2), earlier=(wide,)))  # the spread is falling
    clear("stuck_on_margin", replace(at(narrow, 0.2), earlier=(evidence(cone_of(0.95)),)))  # and here it rises


def test_nothing_active(seen: Evidence) -> None:
    found = fired("nothing_active", under(healthy(spread=0.02), "triplet", margin=0.1))
    assert found.measured.value == 0.0
    clear("nothing_active", under(noise(), "triplet", margin=0.2))
    fired("nothing_active", with_state(seen, active=np.full(3, 0.019)))
    clear("nothing_active", with_state(seen, active=np.full(3, 0.021)))


def test_temperature_low(seen: Evidence) -> None:
    z, y = sound(128, 4, spread=0.03)  # but for two items between two classes
    z[np.flatnonzero(y == 0)[0]] = z[np.flatnonzero(y == 1)[0]] = (np.eye(16)[0] + np.eye(16)[1]) / np.sqrt(2)
    found = fired("temperature_low", under(evidence(z, y), "infonce", temperature=0.05))
    assert len(found.selection.pairs) > 0
    clear("temperature_low", under(noise(), "infonce", temperature=0.5))
    fired("temperature_low", with_state(seen, hardest_share=np.full(3, 0.81)))
    clear("temperature_low", with_state(seen, hardest_share=np.full(3, 0.79)))
    assert "no temperature" in unknown("temperature_low", with_state(seen, knobs={}))


def test_temperature_high(seen: Evidence) -> None:
    close = evidence(cone_of(0.7), np.arange(400) % 8)
    fired("temperature_high", under(close, "infonce", temperature=1.0))
    clear("temperature_high", under(close, "infonce", temperature=0.01))
    clear("temperature_high", under(noise(), "infonce", temperature=1.0))  # spread out as it is
    fired("temperature_high", with_state(close, effective=np.full(3, 0.91)))
    clear("temperature_high", with_state(close, effective=np.full(3, 0.89)))


def test_gradient_captured() -> None:
    z, y = np.eye(16)[np.arange(300) % 6], np.arange(300) % 6
    z = z + 0.2 * np.random.default_rng(0).normal(size=z.shape)
    alike = z.copy()
    alike[y == 1] += np.eye(16)[0] - np.eye(16)[1]  # class 1 lies where class 0 does
    found = fired("gradient_captured", under(evidence(alike, y), "infonce", temperature=0.1))
    assert "Classes 0 and 1" in found.sentence
    assert set(y[found.selection.pairs].ravel().tolist()) == {0, 1}
    clear("gradient_captured", under(evidence(z, y), "infonce", temperature=0.1))
    assert "four classes" in unknown("gradient_captured", under(healthy(classes=3), "infonce"))


@pytest.mark.parametrize(("share", "rule"), [(0.39, clear), (0.41, fired)])
def test_gradient_captured_at_the_edge(seen: Evidence, share: float, rule: Any) -> None:
    assert seen.y is not None
    first = [int(np.flatnonzero(seen.y == c)[0]) for c in range(6)]
    couples = [(a, b) for a in range(6) for b in range(a)]
    weight = np.full(len(couples), (1 - share) / (len(couples) - 1))
    weight[3] = share
    anchor, candidate = (np.asarray([first[couple[k]] for couple in couples]) for k in (0, 1))
    positive = np.zeros(len(couples), bool)
    rule("gradient_captured", with_state(seen, anchor=anchor, candidate=candidate, positive=positive, weight=weight))


def test_terms_fight(seen: Evidence) -> None:
    fired("terms_fight", with_state(seen, term_cosine=-0.21))
    clear("terms_fight", with_state(seen, term_cosine=-0.19))
    before = replace(seen, loss=state(term_cosine=0.5))
    clear("terms_fight", replace(with_state(seen, term_cosine=-0.5), earlier=(before,)))  # not for long
    assert "one term" in unknown("terms_fight", seen if seen.loss else with_state(seen))
    mixed = under(healthy(), "mix:infonce+contrastive")
    assert mixed.loss is not None
    assert mixed.loss.term_cosine is not None
    assert mixed.loss.term_cosine > 0  # both pull the same positives


@pytest.mark.parametrize("key", RULES)
def test_without_a_loss_nothing_is_said_of_it(seen: Evidence, key: str) -> None:
    assert unknown(key, seen) == "no loss was named"


@pytest.mark.parametrize("key", ["nothing_active", "temperature_low", "temperature_high", "gradient_captured"])
def test_a_loss_without_pair_weights_says_so(seen: Evidence, key: str) -> None:
    assert "proxies" in unknown(key, under(seen, "arcface"))
