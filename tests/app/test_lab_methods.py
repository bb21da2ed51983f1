"""Methods on the lab page: added to one lane, turned, removed, refused with a reason, and kept in the link."""

import re
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from app.address import from_query
from app.views import lab_methods
from models.catalogue import discover
from models.training.config import Part, RunConfig
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, pick, press, sound, statuses, table

SMALL = {"encoder__dim": "8", "encoder__width": "16", "sampler__batch": "32", "panels": "roc"}
KEYS = list(discover("methods"))


def with_menu(page: AppTest, lane: int = 0) -> AppTest:
    page.session_state[f"menu-lane-{lane}"] = True
    return sound(page.run())


def configs(boards: LocalBoards) -> list[RunConfig]:
    return [lane.config for lane in boards.players["board0"].state().lanes]


def methods(boards: LocalBoards) -> list[list[str]]:
    return [[part.key for part in config.methods] for config in configs(boards)]


def add(page: AppTest, key: str) -> AppTest:
    box = next(box for box in page.selectbox if str(box.key).startswith("method-add-"))
    return pick(page, "method-add-", list(box.options).index(discover("methods")[key].SPEC.name))


def headings(page: AppTest) -> list[str]:
    """What the lanes are called, in order."""
    return [part.value.split("**")[1] for part in page.markdown if "badge[" in part.value and part.value.endswith("**")]


def test_nothing_of_a_closed_menu_is_drawn(opened: Opener) -> None:
    page = opened(lane="infonce;methods.queue", **SMALL)
    assert not [widget for widget in [*page.selectbox, *page.button] if str(widget.key).startswith("method-")]
    assert headings(page) == ["InfoNCE + Momentum queue"]


def test_a_method_starts_its_own_lane_anew_and_no_other(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(lane=["infonce;temperature=0.3", "infonce"], **SMALL), "step20")
    before = boards.players["board0"].state().lanes
    page = add(with_menu(page), "queue")
    assert methods(boards) == [["queue"], []]
    after = boards.players["board0"].state().lanes
    assert after[0].id != before[0].id
    assert after[1] is not before[1]  # measured again, but the same run
    assert (after[1].id, after[1].config) == (before[1].id, before[1].config)
    assert after[0].config.loss["temperature"] == 0.3
    assert after[0].checksums == before[0].checksums == after[1].checksums
    assert [row[1] for row in table(page)] == ["20", "20"]  # it caught up
    assert headings(page) == ["InfoNCE + Momentum queue", "InfoNCE"]
    assert page.query_params["lane"] == ["infonce;temperature=0.3;methods.queue", "infonce"]
    assert any(button.key.startswith("method-remove-") for button in page.button)  # the menu stays open


def test_changes_of_knobs_become_the_start_of_the_new_lane(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(lane="infonce;5@loss.temperature=0.4", **SMALL), "step20")
    add(with_menu(page), "multi_head")
    (config,) = configs(boards)
    assert (config.events, config.loss["temperature"]) == ((), 0.4)


def test_a_knob_of_a_method_restarts_the_lane_with_it(opened: Opener, boards: LocalBoards) -> None:
    page = with_menu(press(opened(lane="infonce;methods.queue;methods.feature_transform", **SMALL), "step"))
    slider = next(slider for slider in page.slider if str(slider.key).endswith("queue-momentum"))
    page = sound(slider.set_value(0.5).run())
    (config,) = configs(boards)
    assert [part.key for part in config.methods] == ["queue", "feature_transform"]
    assert (config.methods[0]["momentum"], config.methods[0]["size"]) == (0.5, 512)
    assert boards.players["board0"].told[-1][0] == "change_lane"
    link = "infonce;methods.queue;methods.queue.momentum=0.5;methods.feature_transform"
    assert page.query_params["lane"] in (link, [link])


def test_a_method_is_removed(opened: Opener, boards: LocalBoards) -> None:
    page = with_menu(opened(lane="infonce;methods.queue;methods.multi_head", **SMALL))
    page = press(page, "method-remove-lane-0-queue")
    assert methods(boards) == [["multi_head"]]
    page = press(page, "method-remove-lane-1-multi_head")
    assert methods(boards) == [[]]
    assert headings(page) == ["InfoNCE"]


@pytest.mark.parametrize("key", ["class_pair_gate", "smooth_adversarial"])  # a choice among the knobs; a loss of logits
def test_a_method_is_added_with_all_its_knobs(opened: Opener, boards: LocalBoards, key: str) -> None:
    spec = discover("methods")[key].SPEC
    loss = "infonce" if "scores" in spec.reads else "cross_entropy"
    page = press(add(with_menu(opened(lane=loss, **SMALL)), key), "step")
    assert methods(boards) == [[key]]
    assert statuses(page) == ["paused"]
    shown = [*page.slider, *page.select_slider, *page.selectbox, *page.toggle]
    stem = f"-{key}-"
    assert len([widget for widget in shown if stem in str(widget.key)]) == len(spec.knobs)
    assert next(part for part in page.caption if part.value.endswith(lab_methods.RESTARTS))


REFUSED = [
    ({"lane": "infonce"}, "smooth_adversarial", "needs a loss that reads logits, but infonce reads scores"),
    ({"lane": "cross_entropy"}, "queue", "needs a loss that reads scores, but cross_entropy reads logits"),
    ({"lane": "infonce;methods.mixup_pairs"}, "class_pair_gate", "both change the scores: leave one out"),
    ({"lane": "mix:infonce+triplet"}, "smooth_adversarial", "mix:infonce+triplet reads scores"),
    ({"lane": "hl_gauss", "data": "rotation"}, "smooth_adversarial", "needs logits of classes"),
    *(({"lane": "infonce", "data": "captions"}, key, "") for key in KEYS),
]


@pytest.mark.parametrize(("query", "key", "words"), REFUSED)
def test_what_does_not_fit_is_refused_in_the_words_of_the_models(query: dict[str, str], key: str, words: str) -> None:
    setup, problems = from_query({name: [value] for name, value in query.items()})
    assert problems == ()
    fits, reasons = lab_methods.offers(setup.base)
    assert sorted([*fits, *reasons, *(part.key for part in setup.base.methods)]) == sorted(KEYS)
    assert words in reasons[key]
    with pytest.raises(ValueError, match=re.escape(reasons[key])):
        replace(setup.base, methods=(*setup.base.methods, Part(key)))


def test_what_does_not_fit_is_not_offered_and_says_why(opened: Opener, boards: LocalBoards) -> None:
    page = with_menu(opened(lane="infonce;methods.mixup_pairs", **SMALL))
    fits, reasons = lab_methods.offers(configs(boards)[0])
    (box,) = [box for box in page.selectbox if str(box.key).startswith("method-add-")]
    assert list(box.options) == [discover("methods")[key].SPEC.name for key in fits]
    told = [part.value for part in page.caption]
    assert len(reasons) == 3
    assert all(f"{discover('methods')[key].SPEC.name}: {reason}." in told for key, reason in reasons.items())


def test_from_the_recording_it_goes_live_with_the_method(opened: Opener, boards: LocalBoards) -> None:
    page = add(with_menu(opened(), lane=1), "queue")
    assert methods(boards) == [[], ["queue"]]
    assert statuses(page) == ["running", "running"]
    assert configs(boards)[1].loss.key == "triplet"


def test_a_refused_change_keeps_the_lane(opened: Opener, boards: LocalBoards) -> None:
    page = with_menu(opened(lane="infonce", **SMALL))
    boards.players["board0"].refusal = "10 boards are training now; pause one first."
    page = add(page, "queue")
    assert [error.value for error in page.error] == ["10 boards are training now; pause one first."]
    assert methods(boards) == [[]]


def test_other_data_that_refuse_a_method_are_a_message(opened: Opener, boards: LocalBoards) -> None:
    page = opened(lane="infonce;methods.queue", data="clusters", **SMALL)
    page = pick(page, "data-", list(discover("data")).index("captions"))
    assert ["cannot stand before two towers" in error.value for error in page.error] == [True]
    assert configs(boards)[0].data.key == "clusters"


def test_removing_a_method_lets_a_lane_keep_its_loss() -> None:
    config = RunConfig(loss=Part("infonce"), methods=(Part("queue"), Part("mixup_pairs")))
    fits, reasons = lab_methods.offers(config)
    assert fits == ["multi_head"]
    assert set(reasons) == {"class_pair_gate", "feature_transform", "smooth_adversarial"}
