"""Several projection heads on one encoder (AMCL): each sees the pairs in a space of its own, and the losses add up."""

from torch import nn

from models.method_common import Hooks, Pool, Step
from models.spec import Context, Knob, MethodSpec, Paper

SPEC = MethodSpec(
    key="multi_head",
    name="Several heads",
    place="heads",
    reads=("scores", "embeddings"),
    paper=Paper(
        "Wang, Koniusz, Gedeon, Zheng",
        2023,
        "Adaptive Multi-head Contrastive Learning",
        arxiv="2310.05615",
        equation="2.1 (sum over heads)",
        status="partly verified (loss table and code of the authors; paper text not read)",
    ),
    knobs=(
        Knob("heads", 3, 1, 8, help="Each has weights of its own; the encoder below is shared."),
        Knob("width", 64, 4, 512, help="Hidden units of a head, between two layers of the embedding's size."),
    ),
    formula=r"L=\sum_{c=1}^{C}\mathcal{L}(s^c),\quad s^c_{ij}=\cos(h_c(z_i),h_c(z_j))",
    when="Strong augmentations, after which one notion of alike is too narrow.",
    pitfall="The heads start apart by chance alone: nothing keeps them from ending as copies of each other.",
    convention=(
        "The losses of the heads are added, as in the paper, so the value grows with their number. Maps and scores of "
        "the page are those of the encoder's embedding; the weights are those of the first head. Adaptive "
        "temperatures belong to the loss. With a momentum queue the keys go through the same heads."
    ),
    candidates="under head 1",
)


class Method(Hooks):
    """Heads of one hidden layer, from the embedding's size to the same."""

    def __init__(self, context: Context, *, heads: int = 3, width: int = 64) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(context.dim, width), nn.ReLU(), nn.Linear(width, context.dim)) for _ in range(heads)
        )

    def change(self, pool: Pool, step: Step) -> list[Pool]:
        """The same pairs once under each head."""
        changed = []
        for head in self.heads:
            z = head(pool.anchors.z)
            changed.append(pool.moved(z, z if pool.candidates is None else head(pool.candidates.z)))
        return changed
