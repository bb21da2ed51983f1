"""No array and no table makes a traceback, whatever is in it."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.reading.arrays import ACCEPTED
from models.reading.refused import Refused
from tests.reading.helpers import inside, made, npy, npz

ARRAYS = hnp.arrays(
    st.one_of(hnp.scalar_dtypes(), hnp.unicode_string_dtypes(), hnp.complex_number_dtypes()),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)
CELLS = st.one_of(st.text(max_size=6), st.floats().map(str), st.integers().map(str), st.just(""))


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.tuples(st.just("a.npy"), ARRAYS.map(npy)),
        st.tuples(
            st.just("a.npz"),
            st.dictionaries(st.sampled_from(["x", "y", "z", "label"]), ARRAYS, max_size=3).map(lambda d: npz(**d)),
        ),
        st.tuples(
            st.just("a.csv"),
            st.lists(st.lists(CELLS, max_size=4), max_size=5).map(
                lambda rows: "\n".join(map(",".join, rows)).encode("utf-8", "surrogatepass")
            ),
        ),
        st.tuples(
            st.sampled_from(["a.npy", "a.npz", "a.csv", "a.parquet", "a.feather", "a.safetensors", "a.h5"]),
            st.binary(max_size=80),
        ),
    )
)
def test_no_array_or_table_makes_a_traceback(tmp_path: Path, file: tuple[str, Any]) -> None:
    """What the process would say: embeddings that are finite, or a refusal with a code; nothing else is raised."""
    path = made(tmp_path, *file)
    with suppress(Refused):
        z = inside("arrays", [path], ACCEPTED)[1]["z"]
        assert z.ndim == 2
        assert z.dtype == np.float32
        assert np.isfinite(z).all()
