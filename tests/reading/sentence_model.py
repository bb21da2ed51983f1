"""A small sentence-transformers folder, its files as the library writes them; the same numbers as torch's layers."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.data.test_minilm import DIM, HEADS, LAYERS, made_up

PIECES = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "mat", ".", ",", "'", "$", "un",
    "##believ", "##able", "naive", "cafe", "—", "東", "京", "σ", "##ο", "##σ", "5", "##0", "a", "b", "_", "dog", "##s",
]  # fmt: skip
WORDS, PLACES = 50, 12
TOKENIZER: dict[str, Any] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [
        {"id": k, "content": PIECES[k], "special": True, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False}
        for k in range(5)
    ],
    "normalizer": {
        "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
        ],
        "pair": [],
        "special_tokens": {
            name: {"id": name, "ids": [PIECES.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")
        },
    },
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
    "model": {
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 20,
        "vocab": {piece: k for k, piece in enumerate(PIECES)},
    },
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": DIM,
    "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": 32, "vocab_size": WORDS,
    "max_position_embeddings": PLACES, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    "position_embedding_type": "absolute",
}  # fmt: skip
_MODELS = "sentence_transformers.models."


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def folder(
    path: Path, *, pooling: dict[str, Any] | None = None, after: tuple[str, ...] = ("Normalize",), **config: Any
) -> torch.nn.TransformerEncoder:
    """Write the folder; returns torch's encoder with the same numbers."""
    net, weights = made_up()
    kinds = ("Transformer", "Pooling", *after)
    places = ["", *(f"{k}_{kind}" for k, kind in enumerate(kinds[1:], 1))]
    modules = [
        {"idx": k, "name": str(k), "path": place, "type": f"{_MODELS}{kind}"}
        for k, (kind, place) in enumerate(zip(kinds, places, strict=True))
    ]
    write(path / "modules.json", modules)
    write(path / "config.json", {**CONFIG, **config})
    write(path / "tokenizer.json", TOKENIZER)
    write(path / "sentence_bert_config.json", {"max_seq_length": 8, "do_lower_case": False})
    usual = {"word_embedding_dimension": DIM, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    write(path / "1_Pooling" / "config.json", pooling or usual)
    extra = {"pooler.dense.weight": torch.zeros(DIM, DIM), "embeddings.position_ids": torch.arange(PLACES)[None]}
    save_file({key: tensor.contiguous() for key, tensor in {**weights, **extra}.items()}, path / "model.safetensors")
    return net
