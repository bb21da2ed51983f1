"""ONNX models: the report, a run over data in the process, and those that are refused before anything runs."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from models.reading import graph
from models.reading.onnx import ACCEPTED, DATA, Port, read_shapes, run_model
from models.reading.refused import Limits, Refused
from tests.reading.helpers import inside, made, npz, refusal, zipped

W = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
X = np.random.default_rng(1).normal(size=(20, 8)).astype(np.float32)


def model(nodes: list[Any] | None = None, weights: list[Any] | None = None, **options: Any) -> Any:
    """x (n, 8) -> embeddings (n, 4), one product."""
    made_of = helper.make_graph(
        nodes if nodes is not None else [helper.make_node("MatMul", ["x", "W"], ["embeddings"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, options.get("shape", ["n", 8]))],
        [helper.make_tensor_value_info("embeddings", options.get("out", TensorProto.FLOAT), ["n", 4])],
        weights if weights is not None else [numpy_helper.from_array(W, "W")],
    )
    imports = [helper.make_opsetid("", options.get("opset", 20)), *options.get("imports", [])]
    return helper.make_model(made_of, opset_imports=imports, ir_version=options.get("ir", 10))


def written(folder: Path, value: Any) -> Path:
    return made(folder, "model.onnx", value.SerializeToString())


def test_a_report_and_a_run_through_the_process(tmp_path: Path) -> None:
    path = written(tmp_path, model())
    told = read_shapes(path)
    assert told.inputs == (Port("x", "float", ("n", 8)),)
    assert told.outputs == (Port("embeddings", "float", ("n", 4)),)
    assert (told.opset, told.operators, told.tensors, told.parameters) == (20, {"MatMul": 1}, 1, 32)
    read = run_model(path, made(tmp_path, "data.npz", npz(x=X, y=np.arange(20) % 3)))
    assert np.allclose(read.z, X @ W, atol=1e-5)
    assert read.y is not None
    assert np.array_equal(read.y, np.arange(20) % 3)
    assert read.classes == ["0", "1", "2"]


def run(folder: Path, value: Any, data: bytes, name: str = "data.npz") -> dict[str, Any]:
    return inside("onnx", [written(folder, value), made(folder, name, data)], (*ACCEPTED, *DATA))[1]


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    assert np.allclose(run(tmp_path, model(shape=[6, 8]), npz(x=X))["z"], X @ W, atol=1e-5)


def test_what_torch_exports_runs_on_pictures(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(72, 5)
    ).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            net,
            (torch.zeros(1, 1, 8, 8),),
            tmp_path / "model.onnx",
            dynamo=False,
            dynamic_axes={"input.1": [0]},
            input_names=["input.1"],
        )
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)
    members = {}
    for place, picture in enumerate(pixels):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "png")
        members[f"{'ab'[place % 2]}/{place}.png"] = file.getvalue()
    made(tmp_path, "data.zip", zipped(members))
    answer = inside("onnx", [tmp_path / "model.onnx", tmp_path / "data.zip"], (*ACCEPTED, *DATA))[1]
    expected = net(torch.from_numpy(pixels[:, None] / np.float32(255))).detach().numpy()
    assert np.allclose(answer["z"], expected, atol=1e-5)
    assert answer["y"].tolist() == [0, 1] * 3


def outside(name: str = "W") -> Any:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[8, 4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../.streamlit/weights.bin")
    return tensor


def constant(tensor: Any) -> Any:
    return helper.make_node("Constant", [], ["W"], value=tensor)


def branched() -> Any:
    """External data of a constant inside a branch."""
    product = helper.make_node("MatMul", ["x", "W"], ["embeddings"])
    out = helper.make_tensor_value_info("b", TensorProto.FLOAT, [8, 4])
    branch = helper.make_graph([helper.make_node("Constant", [], ["b"], value=outside("hidden"))], "b", [], [out])
    yes = numpy_helper.from_array(np.array(True), "yes")
    choose = helper.make_node("If", ["yes"], ["W"], then_branch=branch, else_branch=branch)
    return model([choose, product], [yes])


def in_function() -> Any:
    inner = helper.make_function(
        "own",
        "F",
        ["a"],
        ["b"],
        [helper.make_node("Constant", [], ["c"], value=outside("deep")), helper.make_node("MatMul", ["a", "c"], ["b"])],
        [helper.make_opsetid("", 20)],
    )
    value = model(
        [helper.make_node("F", ["x"], ["embeddings"], domain="own")], [], imports=[helper.make_opsetid("own", 1)]
    )
    value.functions.append(inner)
    return value


def sparse() -> Any:
    value = model([constant(numpy_helper.from_array(W)), helper.make_node("MatMul", ["x", "W"], ["embeddings"])], [])
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    value.graph.sparse_initializer.append(helper.make_sparse_tensor(outside("values"), indices, [8, 4]))
    return value


EVIL = [helper.make_node("Evil", ["x"], ["embeddings"], domain="com.example")]
BAD: list[tuple[Any, str]] = [
    (
        model(weights=[outside()]),
        "E171 The model keeps 'W' in a separate file ('weights.bin'). Save it in one file: onnx.save(",
    ),
    (
        model([constant(outside()), helper.make_node("MatMul", ["x", "W"], ["embeddings"])], []),
        "E171 The model keeps 'W' in a separate file",
    ),
    (branched(), "E171 The model keeps 'hidden' in a separate file"),
    (in_function(), "E171 The model keeps 'deep' in a separate file"),
    (sparse(), "E171 The model keeps 'values' in a separate file"),
    (
        model(EVIL, imports=[helper.make_opsetid("com.example", 1)]),
        "E172 Operator com.example::Evil is not a standard ONNX operator.",
    ),
    (
        model([helper.make_node("Gelu", ["x"], ["embeddings"], domain="com.microsoft")]),
        "E172 Operator com.microsoft::Gelu is not a standard",
    ),
    (
        model([helper.make_node("Nonsense", ["x"], ["embeddings"])]),
        "E172 Operator Nonsense is not a standard ONNX operator.",
    ),
    (
        model(opset=9999),
        f"E173 The model needs opset 9999; this version reads up to {graph.OPSET}. Export with",
    ),
    (model(ir=99), "E173 The model has file form 99; this version reads up to"),
]


@pytest.mark.parametrize(("value", "message"), BAD)
def test_models_that_are_refused_before_they_run(tmp_path: Path, value: Any, message: str) -> None:
    path = written(tmp_path, value)
    assert refusal("shapes", [path], ACCEPTED).startswith(message)
    data = made(tmp_path, "data.npz", npz(x=X))
    assert refusal("onnx", [path, data], (*ACCEPTED, *DATA)).startswith(message)


@pytest.mark.parametrize("raw", [b"x", b"no model at all", b"\x08\x0a", model().SerializeToString()[:-40]])
def test_what_is_no_model(tmp_path: Path, raw: bytes) -> None:
    said = refusal("shapes", [made(tmp_path, "model.onnx", raw)], ACCEPTED)
    assert said.startswith("E104 model.onnx is no ONNX model")


def test_the_newest_versions_named_do_run(tmp_path: Path) -> None:
    assert np.allclose(run(tmp_path, model(opset=graph.OPSET, ir=graph.FORM), npz(x=X))["z"], X @ W, atol=1e-5)
    with pytest.raises(Refused, match=r"^E173"):
        graph.checked(model(opset=graph.OPSET + 1).SerializeToString(), "a")


FLAT = [helper.make_node("Flatten", ["x"], ["embeddings"])]
TEXT = [helper.make_node("Constant", [], ["embeddings"], value_string="x")]
INFINITE = [helper.make_node("MatMul", ["x", "W"], ["a"]), helper.make_node("Div", ["a", "zero"], ["embeddings"])]
ZERO = numpy_helper.from_array(np.zeros(1, np.float32), "zero")


@pytest.mark.parametrize(
    ("value", "data", "message"),
    [
        (
            model(FLAT, [], shape=["n", 3, 32, 32]),
            npz(x=X),
            "E174 The model takes (n, 3, 32, 32); the data are (20, 8).",
        ),
        (model(FLAT, [], shape=["n", 9]), npz(x=X), "E174 The model takes (n, 9); the data are (20, 8)."),
        (
            model(TEXT, [], out=TensorProto.STRING),
            npz(x=X),
            "E176 The model's output is text; a matrix of numbers is needed.",
        ),
        (
            model([helper.make_node("ReduceSum", ["x"], ["embeddings"], keepdims=0)], []),
            npz(x=X),
            "E176 The model's output is () for 20 rows",
        ),
        (model(INFINITE, [numpy_helper.from_array(W, "W"), ZERO]), npz(x=X), "E112 80 values in 20 rows are infinite"),
        (model(), npz(x=X, y=np.arange(20))[:-30], "E104 data.npz is cut short or damaged"),
    ],
)
def test_runs_that_are_refused(tmp_path: Path, value: Any, data: bytes, message: str) -> None:
    paths = [written(tmp_path, value), made(tmp_path, "data.npz", data)]
    assert refusal("onnx", paths, (*ACCEPTED, *DATA)).startswith(message)


def endless() -> Any:
    """A loop of 2^62 turns."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Identity", ["v"], ["v2"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, ["n", 4]),
        ],
        [
            helper.make_tensor_value_info("c2", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v2", TensorProto.FLOAT, ["n", 4]),
        ],
    )
    turns, yes = numpy_helper.from_array(np.array(1 << 62), "turns"), numpy_helper.from_array(np.array(True), "yes")
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["a"]),
        helper.make_node("Loop", ["turns", "yes", "a"], ["embeddings"], body=body),
    ]
    return model(nodes, [numpy_helper.from_array(W, "W"), turns, yes])


def hungry() -> Any:
    """64 GB from nothing."""
    shape = numpy_helper.from_array(np.array([1 << 16, 1 << 18]), "shape")
    fill = helper.make_node("ConstantOfShape", ["shape"], ["a"])
    return model([fill, helper.make_node("ReduceSum", ["a"], ["embeddings"])], [shape])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (endless(), "E175 The model was stopped: it ran longer than 1 s."),
        (hungry(), "E175 The model was stopped: it asked for more than 1,024 MB."),
    ],
)
def test_a_model_that_asks_for_too_much_is_stopped(tmp_path: Path, value: Any, message: str) -> None:
    onnx.checker.check_model(value)
    path, data = written(tmp_path, value), made(tmp_path, "data.npz", npz(x=X))
    with pytest.raises(Refused) as caught:
        run_model(path, data, limits=Limits(memory_mb=1024, seconds=1))
    assert str(caught.value).startswith(message)
