"""Assembling: which rows are taken, what is refused with which words, and what a run then reads."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.own_data.assemble import Assembled, assemble
from models.own_data.bounds import Bounds, check_matrix
from models.own_data.columns import Columns
from models.own_data.keeping import keep
from models.own_data.roles import Roles, guess_roles
from models.training.config import Part
from models.training.dataset import _split, build, training_rows
from tests.own_data.helpers import digits, grid, table, wine

MOODS = ["up", "down"] * 20


def made(values: dict[str, Any], **roles: str) -> Assembled:
    columns = table(values)
    given = guess_roles(columns)
    for name, role in roles.items():
        given = given.with_role(name, role)
    return assemble(columns, given)


def test_standardised_by_the_training_rows_alone() -> None:
    columns = wine()
    own = assemble(columns, guess_roles(columns)).own
    source = own.load()
    raw = np.stack([columns.numbers(name) for name in columns.names[:13]], axis=1)
    train = training_rows(source)
    assert 0 < len(train) < len(raw)
    wanted = (raw - raw[train].mean(axis=0)) / raw[train].std(axis=0)
    assert source.x == pytest.approx(wanted, abs=1e-5)
    assert source.x[train].mean(axis=0) == pytest.approx(np.zeros(13), abs=1e-5)
    assert np.abs(source.x.mean(axis=0)).max() > 1e-3  # all rows together are not centred
    assert source.classes == ("0", "1", "2")
    assert source.y.tolist() == columns.numbers("target").astype(int).tolist()


def test_rows_are_refused_with_line_and_reason() -> None:
    values = {"a": list(grid(40)[:, 0]), "b": [str(k) for k in range(40)], "label": list(MOODS)}
    values["a"][3], values["a"][4], values["a"][5] = np.nan, np.inf, 1e39
    values["b"][6], values["b"][7], values["label"][8] = "n/a?", "", "  "
    refused = made(values, b="feature").refused
    assert [(row.line, row.reason) for row in refused] == [
        (5, "column 'a' is empty"),
        (6, "column 'a' is infinite"),
        (7, "column 'a' is too large for float32 (3.4e38)"),
        (8, "column 'b' holds 'n/a?', which is not a number"),
        (9, "column 'b' is empty"),
        (10, "the label in column 'label' is missing"),
    ]
    assert [row.line for row in made(values, b="ignore").refused] == [5, 6, 7, 10]


def test_what_is_refused_is_counted_and_the_rest_stays_in_order() -> None:
    values = {"a": np.arange(40.0), "label": list(MOODS)}
    values["label"][0] = values["label"][39] = ""
    own = made(values).own
    assert (own.about.rows, own.about.refused, own.about.items) == (38, 2, 38)
    assert own.arrays["line"].tolist() == list(range(3, 41))
    assert np.argsort(own.load().x[:, 0]).tolist() == list(range(38))


def test_vectors_with_a_gap_are_refused() -> None:
    block = grid(40, 3)
    block[7, 1] = np.nan
    (refused,) = made({"e": block, "label": MOODS}).refused
    assert (refused.line, refused.reason) == (9, "column 'e' has a value that is no number")


def test_a_fifth_of_five_classes_is_held_out_and_never_a_class_of_one_item() -> None:
    labels = [f"c{k % 6}" for k in range(120)] + ["z10", "c9", "c10", "c10", "c9"]
    found = made({"a": grid(125)[:, 0], "label": labels})
    assert found.own.about.classes == ("z10", "c0", "c1", "c2", "c3", "c4", "c5", "c9", "c10")
    assert [note[:4] for note in found.notes] == ["W224"]
    assert "1 of 9 classes have one item and no positive pair: 'z10'" in found.notes[0]
    source = found.own.load()
    trained = set(source.y[training_rows(source)].tolist())
    assert trained <= set(range(7))


def test_the_split_never_depends_on_anything_but_the_rows() -> None:
    own, again = (assemble(digits(), guess_roles(digits())).own for _ in range(2))
    assert own.key == again.key
    source = own.load()
    assert training_rows(source).tolist() == training_rows(again.load()).tolist()
    train, probe = _split(source.y, 8)
    assert set(train.tolist()) & set(probe.tolist()) == set()
    assert set(source.y[train].tolist()) == set(range(8))


def test_a_group_beside_a_label_makes_views_that_never_part() -> None:
    values = {"g": [f"i{k // 3}" for k in range(89)], "a": np.arange(89.0), "label": [f"c{k // 45}" for k in range(89)]}
    own = made(values, g="group").own
    source = own.load()
    assert source.views is not None
    assert source.views.shape == (30, 3, 1)
    assert (source.views[:, 0] == source.x).all()
    back = source.views[..., 0] * own.arrays["scale"] + own.arrays["mean"]
    assert back[4] == pytest.approx([12.0, 13.0, 14.0], abs=1e-4)
    assert back[29] == pytest.approx([87.0, 88.0, 87.0], abs=1e-4)  # two rows: the first comes again


def test_a_row_of_another_class_than_its_group_is_refused() -> None:
    values = {"g": [f"i{k // 2}" for k in range(40)], "a": np.arange(40.0), "label": [f"c{k // 20}" for k in range(40)]}
    values["label"][3] = "c1"
    (refused,) = made(values, g="group").refused
    assert (refused.line, refused.reason) == (5, "group 'i1' is 'c0' before and 'c1' here")


def test_rows_beyond_the_views_of_an_item_are_refused() -> None:
    values = {"g": ["one"] * 10 + [f"i{k}" for k in range(30)], "a": np.arange(40.0), "label": MOODS}
    values["label"] = ["up"] * 10 + MOODS[:30]
    refused = made(values, g="group").refused
    assert [row.line for row in refused] == [10, 11]
    assert {row.reason for row in refused} == {"group 'one' has more than 8 rows"}


def test_a_group_without_a_label_is_the_class() -> None:
    found = made({"g": [f"p{k // 4}" for k in range(80)], "a": np.arange(80.0)}, g="group")
    assert found.own.about.classes[:3] == ("p0", "p1", "p2")
    assert (len(found.own.about.classes), found.own.about.labelled) == (20, True)
    assert found.own.load().views is None


def test_without_label_group_and_target_every_item_is_a_class_of_its_own() -> None:
    own = made({"a": np.arange(40.0), "b": grid(40)[:, 0]}).own
    assert (own.about.labelled, own.about.classes, len(own.load().classes)) == (False, (), 40)
    dataset_rows = training_rows(own.load())
    assert len(dataset_rows) == 40 - 40 // 3  # nothing is held out but the probe


@pytest.mark.parametrize(("labels", "code"), [(["only"] * 40, "W221"), ([f"n{k}" for k in range(40)], "W222")])
def test_labels_that_pair_nothing_are_told_and_views_are_paired(labels: list[str], code: str) -> None:
    found = made({"a": np.arange(40.0), "label": labels}, label="label")
    assert [note[:4] for note in found.notes] == [code]
    assert not found.own.about.labelled
    assert not found.own.about.spec(found.own.key).labelled


def test_a_target_alone_makes_five_classes_of_its_ranges() -> None:
    found = made({"a": grid(100)[:, 0], "price": np.arange(100.0)}, price="target")
    source = found.own.load()
    assert source.target is not None
    assert source.target.tolist() == list(range(100))
    assert Counter(source.y.tolist()) == dict.fromkeys(range(5), 20)
    assert source.classes[0] == "0 to 19.8"
    ends = [(source.target[source.y == k].min(), source.target[source.y == k].max()) for k in range(5)]
    assert ends == [(0, 19), (20, 39), (40, 59), (60, 79), (80, 99)]


def test_a_target_of_one_value_is_one_class_of_numbers() -> None:
    found = made({"a": grid(40)[:, 0], "price": [7.0] * 40}, price="target")
    assert found.own.about.classes == ("7",)


def test_texts_are_read_letter_by_letter_and_shown() -> None:
    texts = [f"word{k % 5} and {k}" for k in range(40)]
    own = made({"text": texts, "label": MOODS}).own
    assert own.about.kind == "text"
    source = own.load(features=128)
    assert source.x.shape == (40, 128)
    assert np.linalg.norm(source.x, axis=1) == pytest.approx(np.ones(40), abs=1e-5)
    assert source.texts == tuple(texts)
    like, unlike = source.x[0] @ source.x[5], source.x[0] @ source.x[1]
    assert like > unlike  # word0 twice, against word0 and word1


def test_numbers_and_texts_stand_side_by_side_and_a_spare_text_is_shown() -> None:
    values = {"a": grid(40)[:, 0], "text": [f"t {k}" for k in range(40)], "note": ["é" * 300] * 40, "label": MOODS}
    both = made(values, text="text", note="ignore").own
    assert both.load(features=64).x.shape == (40, 65)
    assert both.about.kind == "points"
    spare = made(values, text="ignore", note="ignore").own
    assert spare.load().texts[:2] == ("t 0", "t 1")
    assert made({"n": ["é" * 300] * 40, "a": grid(40)[:, 0], "label": MOODS}).own.load().texts[0] == "é" * 200


def test_pictures_are_scaled_to_one_and_grey_or_coloured() -> None:
    columns = digits()
    grey = assemble(columns, guess_roles(columns)).own.load()
    assert grey.x.shape == (120, 1, 8, 8)
    assert (grey.x.min(), grey.x.max()) == (0.0, 1.0)
    pixels = np.repeat(np.asarray(columns.values["image"])[..., None], 3, axis=3)
    pixels[..., 1] = 0
    coloured = Columns({**columns.values, "image": pixels}, columns.lines)
    source = assemble(coloured, guess_roles(coloured)).own.load()
    assert source.x.shape == (120, 3, 8, 8)
    assert source.x[:, 0] == pytest.approx(grey.x[:, 0])
    assert source.x[:, 1].max() == 0.0


def test_what_never_changes_and_what_repeats_is_noted() -> None:
    values = {"a": [float(k // 2) for k in range(40)], "still": [5.0] * 40, "label": MOODS}
    notes = made(values).notes
    assert [note[:4] for note in notes] == ["W206", "W205"]
    assert "1 of 2 features" in notes[0]
    assert "still" in notes[0]
    assert "20 of 40 rows" in notes[1]


def test_classes_that_look_alike_are_noted() -> None:
    (note,) = made({"a": np.arange(40.0), "label": ["cat", "Cat", "dog", "cow"] * 10}).notes
    assert note == "W223 'Cat' and 'cat' differ only in case or spaces. Are they one class?"


@pytest.mark.parametrize(
    ("values", "roles", "words"),
    [
        ({"label": MOODS}, {}, "E191 no column is a feature"),
        ({"a": [np.nan] * 40, "label": MOODS}, {"a": "feature"}, "E191 no row is left: column 'a' is empty"),
        ({"a": [1.0] * 6, "label": MOODS[:6]}, {}, "E192 6 items are left of 6 rows; at least 12"),
        ({"a": grid(40), "b": np.arange(40.0), "label": MOODS}, {"a": "text"}, "E193 'a' is no text"),
    ],
)
def test_columns_that_make_no_set_are_refused(values: dict[str, Any], roles: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        made(values, **roles)


def test_a_picture_stands_alone() -> None:
    columns = Columns({**digits().values, "a": np.arange(120.0)}, np.arange(120))
    with pytest.raises(ValueError, match=r"^E193 a picture stands alone: keep 'image'"):
        assemble(columns, guess_roles(columns))


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(rows=100), "E106 178 rows; the limit here is 100"),
        (Bounds(width=12), "E107 13 features; the limit is 12"),
        (Bounds(classes=2), "E156 3 classes; the limit is 2. Is the label column an id?"),
    ],
)
def test_what_is_too_large_is_refused_with_the_limit(bounds: Bounds, words: str) -> None:
    columns = wine()
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        assemble(columns, guess_roles(columns), bounds=bounds)


def test_a_matrix_that_does_not_fit_names_a_number_that_does() -> None:
    check_matrix(524_288, (512,))
    with pytest.raises(ValueError, match=r"^E106 524,289 rows of 512 numbers need 1,024 MB; .* at most 524,288 rows"):
        check_matrix(524_289, (512,))


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^E109"):
        assemble(Columns({}, np.arange(0)), Roles(()))


def test_build_takes_it_as_any_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSLAB_HOME", str(tmp_path))
    columns = wine()
    found = assemble(columns, guess_roles(columns))
    knobs = (("duplicates", 0.0), ("imbalance", 1.0), ("label_flips", 0.2), ("view_strength", 0.5))
    dataset = build(Part(keep(found.own), knobs), seed=1)
    assert len(dataset.train) == found.own.about.train == 119
    assert int((dataset.y != dataset.truth).sum()) == round(0.2 * 119)
