"""Weights of the app's own encoders: read from runs, states and plain files, and refused where they do not fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from models.encoders import conv, linear, mlp
from models.reading import encoder
from models.reading.doors import Request, bring
from models.reading.encoder import Named, read_encoder, read_proxies
from models.reading.material import material_of
from models.reading.refused import Refused
from models.training.config import Part, RunConfig
from models.training.run import Run
from tests.reading.helpers import inside, made, npy, npz, zipped

RNG = np.random.default_rng(6)
X = RNG.normal(size=(12, 10)).astype(np.float32)
Y = np.arange(12) % 3
PICTURES = RNG.integers(0, 256, (6, 8, 8), dtype=np.uint8)
MLP = {"dim": 5, "width": 16, "depth": 2}
Net = torch.nn.Module


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same task in this process: starting torch in another takes seconds."""
    from models.reading.child import Answer

    def ask(task: str, sources: Any, options: Any, limits: Any) -> Answer:
        return Answer(*inside(task, [one.path for one in sources], tuple(one.kind for one in sources), options, limits))

    monkeypatch.setattr(encoder, "ask", ask)


def net(build: Callable[..., Net], shape: tuple[int, ...], **knobs: Any) -> Net:
    torch.manual_seed(3)
    return build(shape, **knobs).eval()


def embedded(module: Net, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        z: np.ndarray = module(torch.from_numpy(x)).numpy()
    return z


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth"])
@pytest.mark.parametrize("prefix", ["", "module.", "encoder."])
def test_an_mlp_is_read_from_its_weights(tmp_path: Path, name: str, prefix: str) -> None:
    module = net(mlp.build, (10,), **MLP)
    state = {prefix + key: tensor for key, tensor in module.state_dict().items()}
    save_file(state, tmp_path / name) if name.endswith("s") else torch.save(state, tmp_path / name)
    data = made(tmp_path, "x.npz", npz(x=X, labels=Y))
    ran = read_encoder(tmp_path / name, Named("mlp"), data)
    assert ran.arrays is not None
    np.testing.assert_allclose(ran.arrays.z, embedded(module, X), rtol=1e-6)
    assert ran.arrays.y is not None
    assert ran.arrays.y.tolist() == Y.tolist()
    assert ran.shapes.encoder == {"key": "mlp", "knobs": {**MLP, "normalise": False}}
    assert ran.shapes.inputs[0].shape == ("n", 10)
    assert ran.shapes.parameters == sum(tensor.numel() for tensor in module.parameters())


@pytest.mark.usefixtures("here")
def test_pictures_of_a_zip_go_through_a_conv_net_with_channels_first(tmp_path: Path) -> None:
    module = net(conv.build, (1, 8, 8), dim=4, width=3, depth=2)
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    members = {}
    for place, pixels in enumerate(PICTURES):
        Image.fromarray(pixels).save(tmp_path / "one.png")
        members[f"{'ab'[place % 2]}/{place}.png"] = (tmp_path / "one.png").read_bytes()
    ran = read_encoder(tmp_path / "w.safetensors", Named("conv"), made(tmp_path, "p.zip", zipped(members)))
    assert ran.arrays is not None
    np.testing.assert_allclose(
        ran.arrays.z, embedded(module, PICTURES[:, None].astype(np.float32) / 255), rtol=1e-5, atol=1e-6
    )
    assert ran.arrays.classes == ["a", "b"]
    assert ran.shapes.encoder is not None
    assert ran.shapes.encoder["knobs"] == {"dim": 4, "width": 3, "depth": 2, "normalise": False}


@pytest.mark.usefixtures("here")
def test_signals_and_a_linear_encoder(tmp_path: Path) -> None:
    signals = RNG.normal(size=(5, 2, 16)).astype(np.float32)
    module = net(conv.build, (2, 16), dim=4, width=2, depth=1)
    save_file(module.state_dict(), tmp_path / "c.safetensors")
    ran = read_encoder(tmp_path / "c.safetensors", Named("conv"), made(tmp_path, "s.npy", npy(signals)))
    assert ran.arrays is not None
    np.testing.assert_allclose(ran.arrays.z, embedded(module, signals), rtol=1e-5, atol=1e-6)
    flat = net(linear.build, (10,), dim=3, normalise=True)
    save_file(flat.state_dict(), tmp_path / "l.safetensors")
    ran = read_encoder(
        tmp_path / "l.safetensors", Named("linear", {"normalise": True}), made(tmp_path, "x.npy", npy(X))
    )
    assert ran.arrays is not None
    np.testing.assert_allclose(ran.arrays.z, embedded(flat, X), rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("here")
def test_without_data_there_is_the_report(tmp_path: Path) -> None:
    save_file(net(conv.build, (3, 16, 16), dim=4, width=2, depth=3).state_dict(), tmp_path / "w.safetensors")
    ran = read_encoder(tmp_path / "w.safetensors", Named("conv"))
    assert ran.arrays is None
    assert ran.shapes.inputs[0].shape == ("n", 3, "h", "w")
    assert ran.shapes.outputs[0].shape == ("n", 4)
    assert ran.shapes.operators == {"Conv2d": 3, "Flatten": 1, "Linear": 1, "MaxPool2d": 3, "ReLU": 3}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    run = Run(RunConfig(steps=5, loss=Part("arcface")))
    run.advance(5)
    folder = tmp_path_factory.mktemp("run")
    run.save(folder)
    return folder, run


def test_the_folder_of_a_run_is_a_checkpoint(run_folder: tuple[Path, Run], tmp_path: Path) -> None:
    """Architecture, weights and class weights come from the folder; the process is the real one."""
    folder, run = run_folder
    x, y = run.data.source.x, run.data.source.y
    kept = y < 8  # the classes that have a proxy
    data = made(tmp_path, "d.npz", npz(x=x[kept], labels=y[kept]))
    found = bring(Request(folder, data=data))
    assert found.door == "model"
    assert found.arrays is not None
    np.testing.assert_allclose(found.arrays.z, embedded(run.encoder, x[kept]), rtol=1e-5, atol=1e-6)
    material = material_of(found)
    assert material is not None
    assert material.proxies is not None
    np.testing.assert_array_equal(material.proxies, run._tensors()["objective.own.proxy"].detach().numpy())


@pytest.mark.usefixtures("here")
def test_class_weights_that_do_not_fit_are_left_out_unless_asked_for(
    run_folder: tuple[Path, Run], tmp_path: Path
) -> None:
    folder, run = run_folder
    state = next(folder.glob("state-*.safetensors"))
    data = made(tmp_path, "d.npz", npz(x=run.data.source.x, labels=run.data.source.y))
    found = bring(Request(state, data=data))
    assert found.proxies is None
    assert [note.code for note in found.notes][-1] == "W243"
    with pytest.raises(Refused, match=r"E151 8 class weights for 10 classes, of which the last is 9\. Row k must be"):
        bring(Request(state, data=data, proxies=state))


def test_class_weights_of_their_own_file(tmp_path: Path) -> None:
    names = np.array(["dog", "cat", "eel", "cat"])
    z = made(tmp_path, "z.npz", npz(embeddings=X[:4], labels=names))
    w = RNG.normal(size=(3, 10)).astype(np.float32)
    torch.save({"fc.weight": torch.zeros(2, 2), "head.weight": torch.from_numpy(w)}, tmp_path / "w.pt")
    for file in (made(tmp_path, "w.npy", npy(w)), made(tmp_path, "turned.npy", npy(w.T)), tmp_path / "w.pt"):
        found = bring(Request(z, proxies=file))
        assert found.proxies is not None
        np.testing.assert_array_equal(found.proxies, w)  # rows of cat, dog, eel
    torch.save({"a": torch.zeros(2, 2), "b": torch.zeros(2, 2)}, tmp_path / "two.pt")
    with pytest.raises(Refused, match=r"E115 2 matrices of two.pt could be class weights: a, b\. Call the one"):
        read_proxies(tmp_path / "two.pt")


@pytest.mark.usefixtures("here")
def test_numbers_name_the_row_of_their_class(tmp_path: Path) -> None:
    z = made(tmp_path, "z.npz", npz(embeddings=X[:4], labels=np.array([2, 0, 2, 3])))
    w = RNG.normal(size=(5, 10)).astype(np.float32)
    found = bring(Request(z, proxies=made(tmp_path, "w.npy", npy(w))))
    assert found.proxies is not None
    np.testing.assert_array_equal(found.proxies, w[[0, 2, 3, 1, 4]])


def config(**more: Any) -> str:
    return json.dumps({"encoder": {"key": "mlp", "knobs": MLP}, **more})


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "E168 w.safetensors holds weights alone. Whose weights are they? Name it: --encoder KEY, one of conv, linear"),
    ({"key": "vit"}, "E168 w.safetensors holds weights alone. No encoder is called 'vit'."),
    ({"key": "linear"}, "E168 4 are unknown (3.bias, 3.weight, 5.bias, 5.weight). Choose the architecture"),
    ({"key": "conv"}, "E168 w.safetensors holds 3 matrices and no kernel: these are not the weights of 'conv'."),
    ({"key": "mlp", "knobs": {"depth": 3}}, "E168 2 weights are missing (7.weight, 7.bias)."),
    ({"key": "mlp", "knobs": {"width": 32}}, "E169 '1.weight' is (16, 10), the model needs (32, 10)."),
    ({"key": "mlp", "knobs": {"width": 1}}, "E311 encoder mlp.width must be a whole number from 4 to 2048, got 1."),
    ({"key": "mlp", "knobs": {"heads": 1}}, "E311 encoder mlp has no knob 'heads'"),
    ({"key": "mlp", "data": X[:, :8]}, "E174 The model takes (n, 10); the data are (n, 8). Bring the data into"),
    ({"text": "{"}, "E104 c.json is no JSON text, or a damaged one."),
    ({"text": "[" * 5000}, "E104 c.json is no JSON text, or a damaged one."),
    ({"text": "{}"}, "E168 c.json names no encoder. Give the run.json of a run, or a config of the lab."),
    ({"text": f"[{config()}, {config()}]"}, "E403 c.json holds 2 configs. Keep the one of these weights."),
    ({"text": " " * 1_100_000 + "{}"}, "E121 c.json is 1 MB long; the limit of a config is 1 MB."),
    ({"text": config(), "key": "conv"}, "E403 --encoder says conv, the config mlp. Leave one of them out."),
]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("given", "begins"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, given: dict[str, Any], begins: str) -> None:
    save_file(net(mlp.build, (10,), **MLP).state_dict(), tmp_path / "w.safetensors")
    text = given.get("text")
    named = Named(
        given.get("key", ""), given.get("knobs", {}), None if text is None else made(tmp_path, "c.json", text)
    )
    data = made(tmp_path, "x.npy", npy(given.get("data", X)))
    with pytest.raises(Refused) as caught:
        read_encoder(tmp_path / "w.safetensors", named, data)
    assert str(caught.value).startswith(begins)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.usefixtures("here")
def test_pictures_of_another_size_and_two_towers_are_refused(tmp_path: Path) -> None:
    state = net(conv.build, (1, 8, 8), dim=4, width=3, depth=2).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(Refused, match=r"E174 The model takes pictures of which 24 numbers are left after 2 halvings"):
        read_encoder(tmp_path / "w.safetensors", Named("conv"), made(tmp_path, "a.npy", npy(np.zeros((3, 16, 16)))))
    with pytest.raises(Refused, match=r"E174 The model takes \(n, 1, h, w\); the data are \(n, 3, 8, 8\)"):
        read_encoder(tmp_path / "w.safetensors", Named("conv"), made(tmp_path, "a.npy", npy(np.zeros((3, 3, 8, 8)))))
    towers = {f"encoder.{side}.{key}": tensor.clone() for side in "ab" for key, tensor in state.items()}
    save_file(towers, tmp_path / "t.safetensors")
    with pytest.raises(Refused, match=r"E403 t.safetensors holds two encoders, one a side\. Save the one"):
        read_encoder(tmp_path / "t.safetensors", Named("conv"))


def test_code_in_weights_is_never_run(tmp_path: Path) -> None:
    """A whole module is a pickle that names classes: refused by its opcodes, whatever encoder is named."""
    torch.save(torch.nn.Linear(2, 2), tmp_path / "m.pt")
    with pytest.raises(Refused, match=r"E161 m\.pt is a whole model"):
        bring(Request(tmp_path / "m.pt", encoder="linear"))


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"E401 .* is a folder\. Name a file; of folders, a run's folder"):
        bring(Request(tmp_path))
    made(tmp_path, "run.json", '{"state": "../../secret.safetensors"}')
    with pytest.raises(Refused, match=r"E104 run\.json of .* names no state"):
        bring(Request(tmp_path))
