"""What is brushed on the Diagnose page, and what else is asked of a diagnosis there."""

from dataclasses import replace
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from models.checkpoint import Material
from models.checkpoint.diagnosis import Metric
from models.diagnostics.measured import Measured
from models.diagnostics.summary import Points
from models.engine import diagnosing
from models.selection import Block, ItemSet, PairList
from tests.app.diagnosed import FLIPPED, LocalEngine, Y, Z, case_of, dropped, text
from tests.app.drawn import press, sound
from tests.checkpoint.made import labelled
from tests.checkpoint.made import sound as items
from tests.reading.helpers import npz


def brushed(page: AppTest) -> Any:
    return page.session_state["diagnose-brush"][1]


def typed(page: AppTest, kind: str, **values: Any) -> AppTest:
    """Brush by numbers, the form being open."""
    page.session_state["diagnose-form"] = True
    page = sound(page.run())
    page.button_group(key="diagnose-kind").set_value(kind)
    page = sound(page.run())
    for key, value in values.items():
        page.session_state[f"diagnose-{key}"] = value
    return press(page, "diagnose-typed")


def test_a_brush_is_shown_on_every_panel_and_by_cards(page: AppTest) -> None:
    page = dropped(page, npz(embeddings=Z, labels=FLIPPED), "mine.npz")
    page = typed(page, "Items", items="0, 5")
    assert brushed(page).brush == ItemSet((0, 5))
    assert "**Marked: 237 pairs**" in text(page)  # 119 of each, one of both
    assert "8 of 237 marked pairs, heaviest first" in text(page)
    found = case_of(page).brushed(brushed(page), (0,))
    assert found.own.items.size == 120
    page = press(page, "mark-label_suspects")  # a finding is a brush like any other
    assert isinstance(brushed(page).brush, PairList)
    assert "label suspects" in text(page).lower()
    page = press(page, "diagnose-clear")
    assert brushed(page) is None
    assert "Drag along the histogram" in text(page)


def test_a_brush_that_means_nothing_is_refused_in_words(page: AppTest) -> None:
    page = dropped(page, npz(embeddings=Z, labels=FLIPPED), "mine.npz")
    page = typed(page, "Items", items="three")
    assert "Nothing is brushed: items are whole numbers" in text(page)
    assert "diagnose-brush" not in page.session_state or brushed(page) is None
    page = typed(page, "Heat map", anchors="0, 9", candidates="10, 19")
    assert brushed(page).brush == Block((0, 10), (10, 20))
    assert "Nothing is brushed" not in text(page)


def test_histogram_and_roc_share_one_threshold(page: AppTest) -> None:
    page = dropped(page, npz(embeddings=Z, labels=Y), "mine.npz")
    counts = next(part.value for part in page.dataframe if "TP" in part.value.columns)
    page.slider(key="diagnose-threshold").set_value(0.9)
    page = sound(page.run())
    stricter = next(part.value for part in page.dataframe if "TP" in part.value.columns)
    assert stricter["TP"][0] < counts["TP"][0]
    page.toggle(key="diagnose-near").set_value(True)
    page = sound(page.run())
    assert "Just accepted: 8 pairs" in text(page)
    assert "Just rejected: 8 pairs" in text(page)


def test_umap_is_asked_for_and_stands_on_the_map(page: AppTest, engine: LocalEngine) -> None:
    def layout(material: Material, points: Points) -> Points:
        return replace(points, xy=points.xy[::-1], method="UMAP", trustworthiness=0.5)

    engine.canned["layout"] = layout
    page = dropped(page, npz(embeddings=Z, labels=Y), "mine.npz")
    assert "layout" not in engine.asked
    page.button_group(key="diagnose-method").set_value("UMAP")
    page = sound(sound(page.run()).run())
    assert engine.asked.count("layout") == 1
    assert "UMAP, trustworthiness 0.5; all items." in text(page)


def test_neighbours_among_all_items_where_the_diagnosis_has_a_sample(page: AppTest, engine: LocalEngine) -> None:
    def neighbours(material: Material) -> tuple[Metric, ...]:
        return (Metric("recall_at_1_of_all", "recall@1, among all items", Measured(0.9), "exact over 2,100 items"),)

    engine.canned["neighbours"] = neighbours
    few = dropped(page, npz(embeddings=Z, labels=Y), "few.npz")
    assert not any(button.key == "diagnose-neighbours" for button in few.button)
    z, y = items(n=2100, classes=4, d=4)
    page = press(dropped(page, npz(embeddings=z, labels=y), "many.npz"), "diagnose-neighbours")
    found = next(part.value for part in page.dataframe if "exact over 2,100 items" in part.value.to_string())
    assert found["value"].tolist() == [0.9]


def test_a_head_is_edited_where_class_weights_are_there(page: AppTest, engine: LocalEngine) -> None:
    page = dropped(page, npz(embeddings=Z, labels=Y), "mine.npz")
    assert "Edit the head" not in text(page)
    material = labelled(Z, Y, proxies=np.stack([Z[k == Y].mean(axis=0) for k in range(4)]))
    case_of(page).material = case_of(page).kept = material
    page = press(sound(page.run()), "diagnose-edit")
    frames = {tuple(part.value.columns)[1]: part.value for part in page.dataframe if "head" in part.value.columns}
    assert frames["accuracy"]["head"][0] == "as it is"
    assert len(frames["accuracy"]) == 7
    assert frames["accuracy of the other classes"]["of the class unlearnt"].between(0, 1).all()
    assert "2 of 8 dimensions keep a fidelity of" in text(page)


def test_umap_keeps_the_items_of_the_map() -> None:
    # Four items are too few for a graph: nothing is compiled.
    points = Points(Z[:4, :2], Y[:4], np.arange(4) * 3, np.arange(4) < 2, "PCA", 0.1)
    found = diagnosing.layout(labelled(Z, Y), points)
    assert (found.method, found.item.tolist(), found.y.tolist()) == ("UMAP", points.item.tolist(), points.y.tolist())
    assert found.seen.tolist() == points.seen.tolist()
    assert found.xy.shape == (4, 2)
    assert np.isfinite(found.xy).all()
