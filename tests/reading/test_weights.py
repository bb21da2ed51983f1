"""Checkpoints as torch and safetensors write them, and files that would run something: nothing of them runs."""

import argparse
import collections
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models.reading import opcodes
from models.reading.refused import Refused
from models.reading.weights import ACCEPTED, check_fit, read_tensors, read_weights
from tests.reading.helpers import inside, made, refusal, zipped


def saved(value: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Linear(6, 4))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_state_becomes_a_table_through_the_process(tmp_path: Path, suffix: str) -> None:
    state = net().state_dict()
    path = tmp_path / f"a{suffix}"
    torch.save(state, path) if suffix == ".pt" else save_file(state, path)
    read = read_weights(path)
    facts = {fact.name: fact for fact in read.tensors}
    assert set(facts) == set(state)
    assert (read.embeddings, read.notes) == (None, ())
    for name, tensor in state.items():
        assert facts[name].shape == tuple(tensor.shape)
        assert facts[name].norm == pytest.approx(float(tensor.double().norm()), rel=1e-6)
    expected = torch.linalg.svdvals(state["2.weight"].double())
    assert np.allclose(facts["2.weight"].singular, expected.numpy())
    share = expected / expected.sum()
    assert facts["2.weight"].effective_rank == pytest.approx(float(torch.exp(-(share * share.log()).sum())))
    assert facts["2.bias"].effective_rank is None
    for name, values in read_tensors(path).items():
        assert np.array_equal(values, state[name].numpy())


def tensors(path: Path) -> dict[str, Any]:
    return inside("weights", [path], ACCEPTED, {"values": True})[1]


def test_views_types_and_nesting(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "model": collections.OrderedDict(turned=base.T, part=base[1:3, 2:5], half=base.half(), brain=base.bfloat16()),
        "optimizer": [{"step": torch.tensor(3), "flag": torch.tensor([True])}],
        "epoch": 3,
        "rate": 0.1,
        "name": "é",
        "none": None,
    }
    found = tensors(made(tmp_path, "a.pt", saved(state)))
    assert np.array_equal(found["model.turned"], base.T.numpy())
    assert np.array_equal(found["model.part"], base[1:3, 2:5].numpy())
    assert np.array_equal(found["model.half"], base.half().numpy())
    assert np.array_equal(found["model.brain"], base.numpy())
    assert (found["optimizer.0.step"].item(), found["optimizer.0.flag"].tolist()) == (3, [True])
    assert len(found) == 6


def test_parameters_and_newer_protocols(tmp_path: Path) -> None:
    state = {"weight": torch.nn.Parameter(torch.ones(2, 3)), "size": torch.Size([1, 2])}
    for protocol in (2, 4, 5):
        found = tensors(made(tmp_path, "a.pt", saved(state, pickle_protocol=protocol)))
        assert np.array_equal(found["weight"], np.ones((2, 3)))


def test_one_matrix_by_name_counts_as_embeddings(tmp_path: Path) -> None:
    save_file({"embeddings": torch.ones(3, 2), "labels": torch.ones(3)}, tmp_path / "a.safetensors")
    assert read_weights(tmp_path / "a.safetensors").embeddings == "embeddings"


def test_bad_values_are_remarked_on(tmp_path: Path) -> None:
    told = inside("weights", [made(tmp_path, "a.pt", saved({"weight": torch.tensor([1.0, float("nan")])}))], ACCEPTED)[
        0
    ]
    assert told["notes"] == [["W231", "1 tensor holds NaN (weight: 1 of 2)."]]


class Opens:
    def __reduce__(self) -> Any:
        return open, ("ran", "w")


def scripted() -> bytes:
    return zipped({"a/data.pkl": b"", "a/constants.pkl": b"", "a/code/x.py": b""})


def changed(old: bytes, new: bytes) -> bytes:
    """A state whose list of contents says something else."""
    with zipfile.ZipFile(io.BytesIO(saved({"weight": torch.ones(1, 1)}))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    key = next(name for name in members if name.endswith("data.pkl"))
    assert old in members[key]
    return zipped({**members, key: members[key].replace(old, new)})


def deflated() -> bytes:
    with zipfile.ZipFile(io.BytesIO(saved({"weight": torch.ones(9)}))) as archive:
        return zipped({name: archive.read(name) for name in archive.namelist()}, zipfile.ZIP_DEFLATED)


def looped() -> dict[str, Any]:
    value: dict[str, Any] = {"weight": torch.ones(1)}
    value["self"] = value
    return value


def shared() -> list[Any]:
    value: list[Any] = [torch.ones(1)]
    for _ in range(40):
        value = [value] * 10
    return value


ROWS: list[tuple[str, Any, str]] = [
    (
        "code",
        lambda: saved({"x": Opens()}),
        "E110 a.pt asks to run 'io.open' when it is opened. Files that hold code are never loaded. Save",
    ),
    ("newer", lambda: saved({"x": Opens()}, pickle_protocol=4), "E110 a.pt asks to run 'io.open' when it is opened."),
    ("bare", lambda: pickle.dumps(Opens(), 2), "E110 a.pt asks to run 'io.open' when it is opened."),
    ("plain", lambda: pickle.dumps([1, 2], 2), "E110 a.pt is a Python pickle."),
    (
        "namespace",
        lambda: saved({"x": argparse.Namespace(a=1)}),
        "E110 a.pt asks to run 'argparse.Namespace' when it is opened.",
    ),
    (
        "model",
        lambda: saved(net()[2]),
        "E161 a.pt is a whole model (torch.nn.Linear), which is code. Save model.state_dict(), best as safetensors",
    ),  # type: ignore[index]
    (
        "numpy",
        lambda: saved({"best": np.float64(1.0)}),
        "E162 a.pt holds numpy values (numpy.float64). Keep only tensors and plain numbers: float(best).",
    ),
    (
        "script",
        scripted,
        "E163 a.pt is a TorchScript program; loading it runs its code, so it is never loaded. Export to ONNX",
    ),
    (
        "export",
        lambda: zipped({"a/archive_format": b"pt2"}),
        "E163 a.pt is a torch.export program; loading it runs its code",
    ),
    (
        "stride",
        lambda: saved({"weight": torch.ones(1).expand(1000, 1000)}),
        "E164 Tensor 'weight' has shape (1000, 1000) but 4 bytes of data.",
    ),
    (
        "sparse",
        lambda: saved({"weight": torch.eye(3).to_sparse()}),
        "E165 A tensor in a.pt is sparse; only dense real numbers are used.",
    ),
    ("complex", lambda: saved({"weight": torch.ones(2, dtype=torch.complex64)}), "E165 A tensor in a.pt is complex"),
    ("meta", lambda: saved({"weight": torch.ones(2, device="meta")}), "E165 A tensor in a.pt is meta"),
    ("none", lambda: saved({"lr": 0.1, "name": "x"}), "E166 No tensors found; keys: lr, name."),
    ("cut", lambda: saved({"weight": torch.ones(9)})[:-60], "E104 a.pt is cut short or damaged"),
    (
        "old",
        lambda: saved({"weight": torch.ones(9)}, _use_new_zipfile_serialization=False),
        "E160 a.pt has the form that PyTorch wrote before",
    ),
    ("deflated", deflated, "E120 Member 'data.pkl' is compressed, which torch.save never does."),
    ("loop", lambda: saved(looped()), "E121 a.pt nests or repeats too much."),
    ("shared", lambda: saved(shared()), "E121 a.pt nests or repeats too much."),
    (
        "lie",
        lambda: changed(b"cpuq\x06K\x01", b"cpuq\x06K\x09"),
        "E104 Tensor 'weight' needs 36 bytes, 4 are there. The file is damaged",
    ),
    (
        "garbage",
        lambda: zipped({"a/data.pkl": b"\x80\x02}\xff."}),
        "E104 a.pt is damaged: its list of contents cannot be read.",
    ),
    (
        "short",
        lambda: zipped({"a/data.pkl": b"\x80\x02s."}),
        "E104 a.pt is damaged: its list of contents cannot be read.",
    ),
    (
        "global",
        lambda: zipped({"a/data.pkl": b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."}),
        "E110 a.pt asks to run 'os.system' when it is opened.",
    ),
    (
        "inst",
        lambda: zipped({"a/data.pkl": b"(X\x04\x00\x00\x00trueios\nsystem\n."}),
        "E110 a.pt uses 'INST', which no state of plain tensors needs.",
    ),
]


@pytest.mark.parametrize(("make", "message"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_files_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = made(tmp_path, "a.pt", make())
    assert refusal("weights", [path], ACCEPTED).startswith(message)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pt"]  # what would have run writes a file


def test_every_cut_of_a_list_of_contents_is_refused_or_read_in_full() -> None:
    with zipfile.ZipFile(io.BytesIO(saved({"a": torch.ones(2, 3), "b": [torch.zeros(1)]}))) as archive:
        raw = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
    whole = opcodes.flattened(opcodes.Reader("a.pt").read(raw), "a.pt", 10)
    assert set(whole) == {"a", "b.0"}
    for cut in range(len(raw)):
        with pytest.raises(Refused):
            opcodes.Reader("a.pt").read(raw[:cut])


def test_weights_are_compared_with_the_model_they_are_for() -> None:
    needed = {"layers.0.weight": (128, 8), "layers.0.bias": (128,)}
    check_fit(needed, needed)
    with pytest.raises(Refused) as caught:
        check_fit({"fc.weight": (4, 8)}, needed)
    said = "E168 2 weights are missing (layers.0.weight, layers.0.bias) and 1 is unknown (fc.weight)."
    assert str(caught.value).startswith(said)
    with pytest.raises(Refused, match=r"^E169 'layers.0.weight' is \(4, 8\), the model needs \(128, 8\)."):
        check_fit({**needed, "layers.0.weight": (4, 8)}, needed)
