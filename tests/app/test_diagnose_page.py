"""The Diagnose page by Streamlit's own test runner, with a side worker of this process."""

from pathlib import Path
from signal import SIGKILL
from threading import Event
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.diagnosing import Asked, Case, Given
from models import limited
from models.checkpoint import Material, planted
from models.checkpoint.frozen import Frozen, Standing
from models.checkpoint.progress import said
from models.checkpoint.try_it import Trial, Way
from models.diagnostics.all_pairs import Progress
from models.diagnostics.verdict import compare_seeds
from models.engine import diagnosing
from models.reading import child
from tests.app.diagnosed import FLIPPED, SCORES, LocalEngine, Y, Z, case_of, dropped, settled, text
from tests.app.drawn import press, sound
from tests.reading.helpers import npz


def test_three_doors_each_with_a_sentence_and_a_sample(page: AppTest) -> None:
    assert text(page).count("Nothing leaves this machine") == 1
    for door, begins in (("embeddings", "One row an item"), ("scores", "A table"), ("model", "An ONNX file")):
        page.button_group(key="diagnose-door").set_value(door)
        page = sound(page.run())
        assert begins in text(page)
        assert any(button.key == f"diagnose-try-{door}" for button in page.button)


def test_embeddings_with_wrong_labels_are_found_and_marked(page: AppTest) -> None:
    page = dropped(page, npz(embeddings=Z, labels=FLIPPED), "mine.npz")
    shown = text(page)
    assert "120 rows of 8 dimensions" in shown
    assert "**Label suspects**" in shown
    assert "What would change our mind" in shown
    assert len(page.get("vega_lite_chart")) >= 4
    page = press(page, "mark-label_suspects")
    assert "Marked: " in text(page)
    listed = next(frame.value for frame in page.dataframe if "nearest" in frame.value.columns)
    assert {int(str(item).split("#")[1]) for item in listed["item"]} >= set(range(6))
    page = press(page, "mark-label_suspects")
    assert "Marked: " not in text(page)


def test_naming_the_loss_measures_anew_and_unlocks_weights(page: AppTest, engine: LocalEngine) -> None:
    page = dropped(page, npz(embeddings=Z, labels=FLIPPED), "mine.npz")
    assert "No loss was named." in text(page)
    page.selectbox(key="diagnose-loss").set_value("infonce")
    page = settled(sound(page.run()))
    assert engine.asked.count("measure") == 2
    assert "No loss was named." not in text(page)
    assert case_of(page).measured == Asked("infonce", (("temperature", 0.1),))
    assert "The batch is a guess" in text(page)
    assert "python -m app diagnose mine.npz --loss infonce --knob temperature=0.1" in text(page)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("cut.npz", b"PK\x03\x04 cut short", "E1"),
        ("bad.npy", b"nothing of the kind", "E1"),
        ("vector.npz", npz(embeddings=np.arange(4.0)), "E1"),
    ],
)
def test_a_refusal_is_one_line_with_its_code_and_the_next_file_works(
    page: AppTest, name: str, content: bytes, code: str
) -> None:
    page = dropped(page, content, name)
    assert len(page.error) == 1
    assert page.error[0].value.startswith(code)
    assert "\n" not in page.error[0].value
    page = dropped(page, npz(embeddings=Z, labels=Y), "good.npz")
    assert not page.error
    assert "120 rows of 8 dimensions" in text(page)


def test_scores_alone_show_their_two_panels_and_why_the_rest_is_missing(page: AppTest) -> None:
    page.button_group(key="diagnose-door").set_value("scores")
    page = dropped(sound(page.run()), SCORES.encode(), "scores.csv", "diagnose-file-scores")
    assert "40 that match, 20 that do not" in text(page)
    assert len(page.get("vega_lite_chart")) == 2
    assert "There are scores alone, and no embeddings." in text(page)


def test_a_model_and_its_data(page: AppTest, engine: LocalEngine) -> None:
    page.button_group(key="diagnose-door").set_value("model")
    page = sound(page.run())
    page = press(page, "diagnose-try-model")
    page = settled(page)
    assert "1,797 rows of 32 dimensions" in text(page)
    assert "**Findings**" in text(page)
    assert engine.asked == ["sample", "measure"]


def test_progress_is_told_and_cancel_keeps_what_was_read(page: AppTest, engine: LocalEngine) -> None:
    engine.busy = True
    page = dropped(page, npz(embeddings=Z, labels=Y), "mine.npz")
    assert case_of(page).doing() == ("Counting pairs: 5 of 10", 0.5)
    page = press(page, "diagnose-cancel")
    assert engine.last is not None
    assert engine.last.cancelled
    assert "Cancelled. What was shown stays." in text(page)
    assert "120 rows of 8 dimensions" in text(page)
    engine.busy = False
    page = settled(press(page, "diagnose-again"))
    assert "**Findings**" in text(page)


def test_another_checkpoint_is_compared_on_the_same_items(engine: LocalEngine, tmp_path: Path) -> None:
    given = Given(
        ("new.npz", npz(embeddings=Z, labels=Y)),
        against=(("old.npz", npz(embeddings=Z + 0.5 * np.sin(np.arange(960)).reshape(120, 8), labels=Y)),),
    )
    case = Case(given, Asked())
    case._reader.join(100)
    assert case.poll()
    assert case.result is not None
    assert [view.summary.label for view in case.result.views] == ["new.npz", "old.npz"]
    assert case.result.told["changes"][0]["before"] == "old.npz"
    assert list((tmp_path / "uploads").iterdir()) == []  # nothing that was uploaded stays


def test_the_cursor_steps_through_a_row_of_checkpoints(page: AppTest) -> None:
    noise = np.sin(np.arange(960)).reshape(120, 8)
    for step, size in ((100, 2.0), (20, 4.0)):
        page.file_uploader(key="diagnose-against-embeddings").upload(
            f"step_{step}.npz", npz(embeddings=Z + size * noise, labels=Y), "application/octet-stream"
        )
    page = dropped(page, npz(embeddings=Z, labels=Y), "step_900.npz")
    assert "3 checkpoints, step_20.npz to step_900.npz" in text(page)
    slider = page.select_slider(key="diagnose-cursor")
    assert slider.options == ["All together", "step 20", "step 100", "step 900"]
    drawn = len(page.get("vega_lite_chart"))
    page = sound(slider.set_value(0).run())
    assert "Findings of step_20.npz among those before it: " in text(page)
    assert len(page.get("vega_lite_chart")) == drawn
    shown = [part.value for part in page.caption if part.value.startswith("A · ")]
    assert len(shown) >= 3
    assert all("step_20.npz" in words for words in shown)


def test_advice_is_tried_with_its_pairs_masked(page: AppTest, engine: LocalEngine) -> None:
    tried: list[tuple[Any, Any]] = []

    def trial(material: Material, now: Way, then: Way, measure: str) -> Trial:
        tried.append((now, then))
        before, after = (0.5, 0.52, 0.51), (0.6, 0.62, 0.61)
        verdict = compare_seeds(list(before), list(after), "recall@1", ("now", "advised"))
        return Trial(now, then, measure, before, after, before, verdict, ("a", "b", "c"))

    engine.canned["trial"] = trial
    page.selectbox(key="diagnose-loss").set_value("infonce")
    page = dropped(sound(page.run()), npz(embeddings=Z, labels=FLIPPED), "mine.npz")
    page = press(page, "try-likely_false_negatives-mask")
    now, then = tried[0]
    assert (now.masked, now.loss, then.knobs) == ((), "infonce", now.knobs)
    told = next(one for one in case_of(page).result.told["findings"] if one["key"] == "likely_false_negatives")  # type: ignore[union-attr]
    assert [list(pair) for pair in then.masked] == told["pairs"]
    assert len(then.masked) > 0
    assert "green-badge[confirmed] recall@1 +0.1000" in text(page)


def test_all_losses_stand_on_the_frozen_embeddings(page: AppTest, engine: LocalEngine) -> None:
    def standings(material: Material, loss: str | None) -> Frozen:
        rows = [Standing("infonce", 0.7, 0.8, 1.0, 1.0), Standing("triplet", 0.2, float("nan"), 0.1, 0.4)]
        return Frozen(loss or "", np.arange(4), tuple(rows), None, "")  # type: ignore[arg-type]

    engine.canned["standings"] = standings
    page = dropped(page, npz(embeddings=Z, labels=Y), "mine.npz")
    page = press(page, "diagnose-standings")
    frame = next(part.value for part in page.dataframe if "loss" in part.value.columns)
    assert frame["loss"].tolist() == ["InfoNCE", "Triplet"]
    assert frame["gradient agrees with yours"].tolist() == [1.0, 0.4]


def test_each_piece_of_advice_has_its_button_or_says_why_not(page: AppTest, engine: LocalEngine) -> None:
    page = dropped(page, npz(embeddings=Z, labels=FLIPPED), "mine.npz")
    shown = [button.label for button in page.button]
    assert "Test this: Train without the listed items" in shown
    assert "Not tried: mended labels, which only you know." in text(page)
    assert "InfoNCE stands in for the loss." in text(page)


def test_cancel_while_reading_ends_the_process(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    told = Event()
    start = limited.start

    def kept(*arguments: Any, **more: Any) -> Any:
        started.append(start(*arguments, **more))
        return started[-1]

    monkeypatch.setattr(limited, "start", kept)
    monkeypatch.setattr(child, "_send", lambda pipe, order: told.set())  # it waits for its order for ever
    case = Case(Given(("mine.npz", npz(embeddings=Z, labels=Y))), Asked())
    assert told.wait(60)
    assert started[0].poll() is None
    case.cancel()
    case._reader.join(30)
    assert not case._reader.is_alive()
    assert started[0].wait(10) == -SIGKILL
    assert (case.problem, case.pending, case.result, len(started)) == ("", False, None, 1)
    again = limited.Family()
    again.end()
    with limited.belonging_to(again):  # given up already: what comes now is ended at once
        late = limited.start("models.reading.worker", "/")
    assert late.wait(10) == -SIGKILL
    limited.end(late)


def test_progress_in_words() -> None:
    assert said("sampling", None) == ("Sampling", 0.0)
    assert said("counting pairs", Progress(500, 1000, 5.0)) == (
        "Counting pairs: 500 of 1,000, 100 a second, 5 s left", 0.5,
    )  # fmt: skip


def test_samples_hold_the_planted_fault() -> None:
    y = np.arange(100) % 10
    wrong, rows = planted.flipped(y)
    assert np.flatnonzero(wrong != y).tolist() == rows.tolist()
    assert len(rows) == 6
    files = diagnosing.sample("scores")
    lines = files["digits_scores.csv"].decode().splitlines()
    assert lines[0] == "score,is_match"
    assert len(lines) == planted.PAIRS + 1
    assert all(-1.001 <= float(line.split(",")[0]) <= 1.001 for line in lines[1:])
