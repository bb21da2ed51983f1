import pytest

from models.catalogue import discover
from models.spec import TARGETS

LOSSES = discover("losses")
FAMILIES = {"softmax", "pair", "triplet", "ranking", "proxy", "classification"}


@pytest.mark.parametrize("key", sorted(LOSSES))
def test_spec_is_complete(key: str) -> None:
    spec = LOSSES[key].SPEC
    texts = {name: getattr(spec, name) for name in ("name", "formula", "when", "pitfall", "convention")}
    texts |= {name: getattr(spec.paper, name) for name in ("authors", "title", "equation", "status")}
    texts |= {f"{knob.name}.help": knob.help for knob in spec.knobs}
    texts |= {f"{level.name}.sentence": level.sentence for level in spec.levels}
    assert [name for name, text in texts.items() if not text.strip()] == []
    assert 1950 <= spec.paper.year <= 2030
    assert spec.family in FAMILIES
    assert spec.target in TARGETS
    assert spec.formula.count("{") == spec.formula.count("}")
    assert len({knob.name for knob in spec.knobs}) == len(spec.knobs)
