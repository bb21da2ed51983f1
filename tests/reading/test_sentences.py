"""sentence-transformers folders: tokens against the tokenizers library's, rows against torch's own layers, refusals."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from models.reading import folder as folders
from models.reading import sentence_folder, wordpiece
from models.reading.child import Answer
from models.reading.doors import Request, bring
from models.reading.refused import Refused
from models.reading.sentence_folder import read_sentences
from tests.data.test_minilm import DIM
from tests.reading import sentence_model
from tests.reading.helpers import inside, made
from tests.reading.sentence_model import PIECES, TOKENIZER, write

# Ids that tokenizers 0.23 gives for this tokenizer.json.
KNOWN = [
    ("The cat sat on the mat.", [2, 5, 6, 7, 8, 5, 9, 10, 3]),
    ("Unbelievable, na\u00efve caf\u00e9\u2014dogs!", [2, 14, 15, 16, 11, 17, 18, 19, 30, 31, 1, 3]),
    ("cat's $50 a_b", [2, 6, 12, 1, 13, 25, 26, 27, 29, 28, 3]),
    ("\u6771\u4eac cat", [2, 20, 21, 6, 3]),
    ("\u03a3\u039f\u03a3", [2, 22, 23, 24, 3]),
    ("", [2, 3]),
    ("  ", [2, 3]),
    ("thethethethethethethethethe", [2, 1, 3]),
    ("[MASK] cat [SEP]", [2, 4, 6, 3, 3]),
    ("ca\u200bt\tsat\u00a0on", [2, 6, 7, 8, 3]),
    ("\u0000the\ufffd", [2, 5, 3]),
    ("cat\u0301s", [2, 6, 31, 3]),
]
TEXTS = ["the cat", "the dogs sat on the mat", "cat", "unbelievable cat on the cat on the cat", "mat ."]
TABLE = "text,label\n" + "".join(f'"{text}",{k % 2}\n' for k, text in enumerate(TEXTS))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tasks in this process: starting torch in another takes seconds."""

    def ask(task: str, sources: Any, options: Any, limits: Any) -> Answer:
        return Answer(*inside(task, [one.path for one in sources], tuple(one.kind for one in sources), options, limits))

    for module in (sentence_folder, folders):
        monkeypatch.setattr(module, "ask", ask)


@pytest.mark.parametrize(("text", "ids"), KNOWN)
def test_tokens_are_those_of_the_library(text: str, ids: list[int]) -> None:
    assert wordpiece.tokenizer_of(TOKENIZER, "t").ids(text, 64) == ids


def test_long_texts_are_cut_before_their_end_mark() -> None:
    assert wordpiece.tokenizer_of(TOKENIZER, "t").ids("the cat sat on the mat", 4) == [2, 5, 6, 3]


def expected(net: nn.TransformerEncoder, path: Path, pool: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
    """Each text alone through torch's encoder, pooled."""
    weights = load_file(path / "model.safetensors")
    tokenizer, rows = wordpiece.tokenizer_of(TOKENIZER, "t"), []
    for text in TEXTS:
        ids = torch.tensor([tokenizer.ids(text, 8)])
        x = weights["embeddings.word_embeddings.weight"][ids]
        x = x + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = x + weights["embeddings.token_type_embeddings.weight"][0]
        norm = [weights[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias")]
        with torch.no_grad():
            rows.append(pool(net(nn.functional.layer_norm(x, (DIM,), *norm, 1e-12))[0]))
    return torch.stack(rows).numpy()


POOLS: dict[str, tuple[dict[str, Any], Callable[[torch.Tensor], torch.Tensor]]] = {
    "mean": ({"pooling_mode_mean_tokens": True}, lambda x: x.mean(0)),
    "cls": ({"pooling_mode": "cls"}, lambda x: x[0]),
    "max": ({"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": False}, lambda x: x.max(0).values),
    "root": ({"pooling_mode_mean_sqrt_len_tokens": True}, lambda x: x.sum(0) / len(x) ** 0.5),
    "both": (
        {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
        lambda x: torch.cat([x[0], x.mean(0)]),
    ),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("way", POOLS)
def test_rows_are_those_of_torchs_layers(tmp_path: Path, way: str) -> None:
    config, pool = POOLS[way]
    net = sentence_model.folder(tmp_path / "m", pooling=config, after=())
    found = read_sentences(tmp_path / "m", made(tmp_path, "t.csv", TABLE)).arrays
    assert found is not None
    np.testing.assert_allclose(found.z, expected(net, tmp_path / "m", pool), rtol=1e-4, atol=1e-5)
    assert found.y is not None
    assert found.y.tolist() == [0, 1, 0, 1, 0]
    assert [note.text for note in found.notes] == ["2 texts of 5 reached the 8 tokens the model reads."]


def test_a_folder_goes_through_the_process_and_is_scaled(tmp_path: Path) -> None:
    """From the command's door, with the limits of the process; rows have length 1."""
    net = sentence_model.folder(tmp_path / "m")
    found = bring(Request(tmp_path / "m", data=made(tmp_path, "t.csv", TABLE)))
    assert (found.name, found.door) == ("m", "model")
    assert found.arrays is not None
    z = expected(net, tmp_path / "m", lambda x: x.mean(0))
    np.testing.assert_allclose(found.arrays.z, z / np.linalg.norm(z, axis=1, keepdims=True), rtol=1e-4, atol=1e-5)
    assert found.shapes is not None
    assert found.shapes.outputs[0].shape == ("n", DIM)


@pytest.mark.usefixtures("here")
def test_a_dense_layer_behind_the_pooling(tmp_path: Path) -> None:
    net = sentence_model.folder(tmp_path / "m", after=("Dense",))
    layer = nn.Linear(DIM, 3)
    inside_it = tmp_path / "m" / "2_Dense"
    write(inside_it / "config.json", {"activation_function": "torch.nn.modules.activation.Tanh"})
    save_file({f"linear.{key}": tensor for key, tensor in layer.state_dict().items()}, inside_it / "model.safetensors")
    found = read_sentences(tmp_path / "m", made(tmp_path, "t.csv", TABLE))
    assert found.arrays is not None
    assert found.shapes.outputs[0].shape == ("n", 3)
    with torch.no_grad():
        z = expected(net, tmp_path / "m", lambda x: torch.tanh(layer(x.mean(0))))
    np.testing.assert_allclose(found.arrays.z, z, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("here")
def test_distilbert_under_its_own_names_is_bert_without_types(tmp_path: Path) -> None:
    net = sentence_model.folder(tmp_path / "m", after=())
    weights = load_file(tmp_path / "m" / "model.safetensors")
    weights["embeddings.token_type_embeddings.weight"] = torch.zeros(2, DIM)
    save_file(weights, tmp_path / "m" / "model.safetensors")
    z = expected(net, tmp_path / "m", lambda x: x.mean(0))
    names = {
        "attention.self.query": "attention.q_lin", "attention.self.key": "attention.k_lin",
        "attention.self.value": "attention.v_lin", "attention.output.dense": "attention.out_lin",
        "attention.output.LayerNorm": "sa_layer_norm", "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2", "output.LayerNorm": "output_layer_norm", "encoder.": "transformer.",
    }  # fmt: skip
    renamed = {}
    for key, tensor in weights.items():
        if not key.startswith(("pooler", "embeddings.token_type")):
            for old, new in names.items():
                key = key.replace(old, new) if key.startswith(("encoder", "transformer")) else key
            renamed[key] = tensor
    save_file(renamed, tmp_path / "m" / "model.safetensors")
    write(
        tmp_path / "m" / "config.json",
        {"model_type": "distilbert", "activation": "gelu", "dim": DIM, "n_layers": 2, "n_heads": 12, "hidden_dim": 32,
         "vocab_size": 50, "max_position_embeddings": 12},
    )  # fmt: skip
    found = read_sentences(tmp_path / "m", made(tmp_path, "t.csv", TABLE)).arrays
    assert found is not None
    np.testing.assert_allclose(found.z, z, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("here")
def test_a_sample_of_the_rows_is_embedded(tmp_path: Path) -> None:
    sentence_model.folder(tmp_path / "m")
    data = made(tmp_path, "t.csv", TABLE)
    every, some = (read_sentences(tmp_path / "m", data, sample=n).arrays for n in (None, 3))
    assert every is not None
    assert some is not None
    assert some.rows is not None
    assert (len(some.rows), some.total) == (3, 5)
    np.testing.assert_allclose(some.z, every.z[some.rows], rtol=1e-4, atol=1e-6)
    assert some.y is not None
    assert every.y is not None
    assert some.y.tolist() == every.y[some.rows].tolist()


@pytest.mark.usefixtures("here")
def test_without_data_there_is_the_report(tmp_path: Path) -> None:
    sentence_model.folder(tmp_path / "m")
    found = read_sentences(tmp_path / "m")
    assert found.arrays is None
    assert found.shapes.operators == {"Embedding": 3, "Transformer layer": 2, "Pooling (mean)": 1, "Normalize": 1}
    assert found.shapes.encoder is not None
    assert found.shapes.encoder["key"] == "bert"


def changed(**parts: Any) -> dict[str, Any]:
    told = copy.deepcopy(TOKENIZER)
    told.update(parts)
    return told


def _spoil_modules(kind: str, place: str = "") -> Callable[[Path], None]:
    return lambda path: write(path / "modules.json", [{"type": kind, "path": place}])


def _only(path: Path, name: str) -> None:
    (path / "model.safetensors").unlink()
    made(path, name, b"x")


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "code": (
        _spoil_modules("custom.Module"),
        "E177 modules.json of m asks for 'custom.Module', code",
    ),
    "outside": (_spoil_modules("sentence_transformers.models.Transformer", "../x"), "E177 modules.json of m asks for"),
    "order": (_spoil_modules("sentence_transformers.models.Pooling"), "E177 The modules of m are Pooling. Read are"),
    "none": (lambda p: write(p / "modules.json", {}), "E177 The modules of m are none. Read are Transformer, Pooling"),
    "torn": (lambda p: made(p, "modules.json", "[{"), "E104 modules.json is no JSON text, or a damaged one."),
    "pickle": (
        lambda p: _only(p, "pytorch_model.bin"),
        "E110 pytorch_model.bin of m is a Python pickle, which is never opened. In your own Python",
    ),
    "parts": (lambda p: _only(p, "model.safetensors.index.json"), "E177 The weights of m lie in several files;"),
    "gone": (lambda p: _only(p, "x.txt"), "E104 m has no model.safetensors. Copy the folder again."),
    "tokens": (lambda p: (p / "tokenizer.json").unlink(), "E104 m has no tokenizer.json."),
    "roberta": (
        lambda p: write(p / "config.json", {**sentence_model.CONFIG, "model_type": "roberta"}),
        "E177 The architecture 'roberta' is not read; bert and distilbert are. Embed the texts yourself",
    ),
    "remote": (
        lambda p: write(p / "config.json", {**sentence_model.CONFIG, "auto_map": {"AutoModel": "x.py"}}),
        "E177 config.json asks to run code of the folder (auto_map), which is never run.",
    ),
    "relu": (
        lambda p: write(p / "config.json", {**sentence_model.CONFIG, "hidden_act": "relu"}),
        "E177 config.json asks for activation 'relu' or places that are not absolute.",
    ),
    "sizes": (
        lambda p: write(p / "config.json", {**sentence_model.CONFIG, "intermediate_size": 64}),
        "E169 'encoder.layer.0.intermediate.dense.weig…' is (32, 24), the model needs (64, 24).",
    ),
    "layers": (
        lambda p: write(p / "config.json", {**sentence_model.CONFIG, "num_hidden_layers": 3}),
        "E168 16 weights are missing (encoder.layer.2.attention.self.query.we",
    ),
    "heads": (
        lambda p: write(p / "config.json", {**sentence_model.CONFIG, "num_attention_heads": 7}),
        "E104 config.json has sizes that no model has",
    ),
    "lacks": (lambda p: write(p / "config.json", {"model_type": "bert"}), "E104 config.json lacks one of hidden_size"),
    "bpe": (
        lambda p: write(p / "tokenizer.json", changed(model={"type": "BPE"})),
        "E177 The model of tokenizer.json is BPE. Read are WordPiece tokenizers",
    ),
    "vocabulary": (
        lambda p: write(p / "config.json", {**sentence_model.CONFIG, "vocab_size": len(PIECES) - 1}),
        "E168 tokenizer.json has more pieces than the 31 of the model.",
    ),
    "pooling": (
        lambda p: write(p / "1_Pooling" / "config.json", {"pooling_mode_lasttoken": True}),
        "E177 The folder asks for pooling 'lasttoken'; read are cls, max, mean, mean_sqrt_len.",
    ),
    "tokenizer": (
        lambda p: write(p / "tokenizer.json", changed(model={"type": "WordPiece", "vocab": {}})),
        "E104 tokenizer.json is damaged",
    ),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("case", BAD)
def test_what_is_not_taken(tmp_path: Path, case: str) -> None:
    spoil, begins = BAD[case]
    sentence_model.folder(tmp_path / "m")
    spoil(tmp_path / "m")
    with pytest.raises(Refused) as caught:
        read_sentences(tmp_path / "m", made(tmp_path, "t.csv", TABLE))
    assert str(caught.value).startswith(begins)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("table", "begins"),
    [
        ("a,b\nx y,z w\n", "E190 2 columns could be the texts: a, b. Call the one 'text'"),
        ("a,b\n1,2\n", "E190 0 columns could be the texts: a, b."),
    ],
)
def test_tables_without_one_column_of_texts(tmp_path: Path, table: str, begins: str) -> None:
    sentence_model.folder(tmp_path / "m")
    with pytest.raises(Refused) as caught:
        read_sentences(tmp_path / "m", made(tmp_path, "t.csv", table))
    assert str(caught.value).startswith(begins)


@pytest.mark.usefixtures("here")
def test_the_folder_takes_no_other_options(tmp_path: Path) -> None:
    sentence_model.folder(tmp_path / "m")
    with pytest.raises(Refused, match="E403 --encoder and --config are for weights alone, and m is a whole model"):
        bring(Request(tmp_path / "m", encoder="mlp"))
    with pytest.raises(Refused, match="E403 --labels needs the rows it speaks of"):
        bring(Request(tmp_path / "m", labels=made(tmp_path, "y.txt", "1\n")))
