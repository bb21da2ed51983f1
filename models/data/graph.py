"""Emoji as a graph of four types of node: what is linked with what, each kind of link in a sense of its own."""

from collections import Counter

import numpy as np

from models.data.emoji import BLOCKS, block, plain, text_rows, words
from models.data.queries import keywords
from models.data_common import Source
from models.spec import DataSpec, Knob

TYPES = ("emoji", "keyword", "German name", "block")
SPEC = DataSpec(
    key="graph",
    name="Graph of emoji",
    kind="text",
    side="text",
    linked=True,
    teaches="One embedding for three senses of alike: shared words, translation, place in Unicode. See what a gate for "
    "each pair of types does for links held out of training.",
    source="emoji package (names and short codes from the Unicode CLDR); blocks of the Unicode standard",
    licence="BSD-3-Clause package; names Unicode licence",
    knobs=(
        Knob("fewest", 3, 2, 10, unit="emoji", help="A word is a keyword if so many emoji have it."),
        Knob("most", 60, 20, 300, unit="emoji", help="And no more than so many."),
        Knob("features", 256, 64, 2048, help="Hash buckets for the runs of one to three letters of a node's text."),
    ),
)
_SEED = 20_240_107
Node = tuple[int, str]  # type, text


def load(*, fewest: int = 3, most: int = 60, features: int = 256) -> Source:
    """Every link once, one end x and the other side, drawn which is which; shape (features + 4,).

    A node's features are its hashed text, of length 1, and its type: nothing of its links, held out or not. The class
    is the type of x's node. An emoji's text is its English name; emoji of one name are one node.
    """
    edges = _edges(fewest, most)
    nodes = sorted({node for edge in edges for node in edge})
    place = {node: k for k, node in enumerate(nodes)}
    ends = np.array([[place[a], place[b]] for a, b in edges], np.int64)
    swapped = np.random.default_rng(_SEED).random(len(ends)) < 0.5
    ends[swapped] = ends[swapped][:, ::-1]
    types = np.array([kind for kind, _ in nodes], np.int64)
    hashed = text_rows([text for _, text in nodes], "letters", features)
    rows = np.hstack([hashed, np.eye(len(TYPES), dtype=np.float32)[types]])
    texts = tuple(f"{TYPES[nodes[a][0]]} {nodes[a][1]} · {TYPES[nodes[b][0]]} {nodes[b][1]}" for a, b in ends.tolist())
    head, tail = ends.T
    return Source(rows[head], types[head], TYPES, texts=texts, side=rows[tail], ends=ends, types=types)


def _edges(fewest: int, most: int) -> list[tuple[Node, Node]]:
    """Links of an emoji with its keywords, its German name and its block, each once, in a fixed order."""
    # Imported here: the catalogue imports every data module, and this takes a second.
    import emoji

    emoji.config.load_language("de")
    table = {sign: about for sign, about in emoji.EMOJI_DATA.items() if plain(sign, about, emoji.STATUS)}
    said = {sign: keywords(about["en"], about.get("alias", ())) for sign, about in table.items()}
    found = Counter(word for spoken in said.values() for word in spoken)
    edges: set[tuple[Node, Node]] = set()
    for sign, about in table.items():
        name: Node = (0, words(about["en"]))
        edges |= {(name, (1, word)) for word in said[sign] if fewest <= found[word] <= most}
        edges.add((name, (2, words(about["de"]))))
        if block(sign):
            edges.add((name, (3, BLOCKS[block(sign) - 1][2])))
    return sorted(edges)
