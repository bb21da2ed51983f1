"""The live map's ECharts option, the three-dimensional map, and what is written to files."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from components import theme
from components.panels import curves, embedding_map, export, pair_weights, roc_curve
from components.panels.inputs import summaries
from models.diagnostics.summary import Summary
from models.training.config import Part, RunConfig
from models.training.run import Run
from tests.panels.made_up import four, start, summary, unknown


def arrow_bytes(frame: pd.DataFrame) -> int:
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return len(sink.getvalue())


def strip(option: dict[str, object]) -> str:
    return json.dumps({key: value for key, value in option.items() if key != "dataset"}, sort_keys=True)


def test_map_has_a_grid_a_lane_and_parts_unseen_classes() -> None:
    option = embedding_map.option(four())
    assert len(option["grid"]) == len(option["xAxis"]) == len(option["yAxis"]) == len(option["title"]) == 4
    assert [s["symbol"] for s in option["series"]] == ["circle", "diamond"] * 4
    sizes = [len(d["source"]) for d in option["dataset"]]
    seen = int(summary().points.seen.sum())
    assert sizes == [seen, 500 - seen] * 4
    assert set(option["dataset"][1]["source"]["class"]) == {"10", "11"}
    assert option["title"][0]["text"] == "A · InfoNCE (temperature 0.1)"
    assert option["title"][0]["subtext"] == "PCA, trustworthiness 0.91"


def test_map_colours_belong_to_classes() -> None:
    colours = embedding_map.option([summary()])["visualMap"]
    assert colours["categories"] == [str(k) for k in range(12)]
    assert colours["inRange"]["color"] == list(theme.CLASSES[:12])
    assert embedding_map.COLUMNS[colours["dimension"]] == "class"
    named = embedding_map.option([summary()], names={0: "zero"})
    assert named["visualMap"]["categories"][0] == "zero"


def test_map_frame_rests_while_points_move() -> None:
    moved = replace(summary(), points=replace(summary().points, xy=summary().points.xy * 1.01))
    assert strip(embedding_map.option([summary()])) == strip(embedding_map.option([moved]))
    fixed = embedding_map.option([summary()], frames=[(-3.0, 3.0, -2.0, 2.0)])
    assert (fixed["xAxis"][0]["min"], fixed["yAxis"][0]["max"]) == (-3.0, 2.0)


def test_map_frame_by_hand() -> None:
    points = replace(summary().points, xy=np.array([[0.5, -0.9], [0.1, 0.2]], np.float32))
    assert embedding_map.frame(points) == (-1.0, 1.0, -1.0, 1.0)
    assert embedding_map.frame(replace(points, xy=10 * points.xy)) == (-10.0, 10.0, -10.0, 10.0)
    assert embedding_map.frame(unknown().points) == (-1.0, 1.0, -1.0, 1.0)


def test_map_does_not_touch_the_cached_spec() -> None:
    before = json.dumps(embedding_map.spec(lanes=2, image=None))
    embedding_map.option([summary(), start()], names={1: "one"})
    assert json.dumps(embedding_map.spec(lanes=2, image=None)) == before
    assert "dataset" not in embedding_map.spec(lanes=2)


def test_map_shows_the_picture_at_the_address_of_an_item() -> None:
    option = embedding_map.option([summary()], image="items/digits/{@item}")
    assert '<img src="items/digits/{@item}"' in option["tooltip"]["formatter"]
    assert list(option["dataset"][0]["source"]) == ["x", "y", "class", "item"]
    assert "img" not in embedding_map.option([summary()])["tooltip"]["formatter"]


@pytest.mark.parametrize("given", [[], [unknown()], four()])
def test_map_option_is_json_but_for_its_tables(given: list[Summary]) -> None:
    option = embedding_map.option(given)
    assert "function" not in strip(option)
    assert len(option["dataset"]) == 2 * len(given)
    json.loads(strip(option))


def test_map_of_four_lanes_weighs_less_than_the_limit() -> None:
    option = embedding_map.option(four())
    assert sum(arrow_bytes(d["source"]) for d in option["dataset"]) + len(strip(option)) < theme.LIMIT


def test_map_words_and_tables() -> None:
    assert "500 items of 12 classes by PCA, trustworthiness 0.91" in embedding_map.sentence([summary()])
    assert embedding_map.sentence([]).endswith("no lane yet.")
    assert len(embedding_map.table(four())) == 2000
    assert len(embedding_map.rows([unknown()])) == 20
    assert b"<svg" in export.svg(embedding_map.figure([summary(), unknown()]))


def test_three_directions_of_a_known_cloud() -> None:
    # Unit vectors along three axes, unequally often: the plane through them holds all the spread.
    z = np.repeat(np.eye(5)[:3] * 7.0, [4, 2, 1], axis=0)
    xyz, share = embedding_map.three_directions(z)
    assert share == pytest.approx(1.0)
    unit = z / 7.0
    apart = np.linalg.norm(unit[:, None] - unit[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(xyz[:, None] - xyz[None], axis=2), apart, atol=1e-12)
    flat, _ = embedding_map.three_directions(np.eye(2))
    assert flat.shape == (2, 3)
    assert np.isnan(embedding_map.three_directions(np.ones((3, 4)))[1])


@pytest.fixture(scope="module")
def run() -> Run:
    made = Run(RunConfig(loss=Part("supcon")))
    made.advance(5)
    return made


def test_panels_take_snapshots(run: Run) -> None:
    snapshot = run.snapshot()
    (found,) = summaries([snapshot])
    assert found.label == snapshot.label
    assert curves.sentence([snapshot]) == curves.sentence([found])
    fig = embedding_map.figure_3d([snapshot, snapshot])
    assert [trace.type for trace in fig.data] == ["scatter3d"] * 4
    assert sum(len(trace.x) for trace in fig.data) == 2 * len(snapshot.y)
    assert len(embedding_map.figure_3d([]).data) == 0


def test_png_has_the_size_asked_for() -> None:
    picture = Image.open(io.BytesIO(export.png(roc_curve.figure([summary()]), width=300, scale=1)))
    assert picture.size[0] == pytest.approx(300, abs=2)
    assert picture.size[1] == pytest.approx(theme.HEIGHT, abs=2)
    assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 20


def test_plotly_becomes_a_page_of_its_own() -> None:
    fig = roc_curve.figure_at_rest(four(), log=True)
    assert [trace.name[0] for trace in fig.data] == ["c", *theme.LETTERS]
    assert len(roc_curve.figure_at_rest([unknown()]).data) == 2
    assert len(roc_curve.figure_at_rest([]).data) == 1
    page = export.html(fig)
    assert b"Plotly.newPlot" in page
    assert b'src="http' not in page
    with pytest.raises(ValueError, match="heat_figure"):
        export.png(pair_weights.heat_map([summary()]))


def test_csv_reads_back() -> None:
    table = roc_curve.table(four())
    back = pd.read_csv(io.BytesIO(export.csv(table)))
    assert list(back.columns) == list(table.columns)
    np.testing.assert_allclose(back["AUC"], table["AUC"].to_numpy(float))


def test_steps_table_joins_every_step_with_its_measures() -> None:
    lane = summary(step=400)
    found = export.steps_table([lane, start("SupCon (temperature 0.1)")])
    assert len(found) == 401
    assert found["lane"].unique().tolist() == ["A · InfoNCE (temperature 0.1)"]
    assert found["step"].is_monotonic_increasing
    row = found[found["step"] == 50].iloc[0]
    assert row["loss"] == lane.curves.loss[50]
    assert row["auc"] == lane.curves.measured["auc"][1]
    assert np.isnan(found[found["step"] == 51].iloc[0]["auc"])
    assert len(export.steps_table([])) == 0
    found.to_parquet(io.BytesIO())
