"""Tables of every kind as the libraries write them, and what is said about those that are damaged or odd."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet
import pytest

from models.reading.refused import GAPS, Refused
from models.reading.table import ACCEPTED, RefusedRow, read_table
from tests.reading.helpers import SMALL, inside, made, npz, refusal

NUMBERS = np.arange(12, dtype=np.float64).reshape(4, 3) / 8
LABELS = ["cat", "NA", "null", "cat"]


def frame() -> pd.DataFrame:
    return pd.DataFrame(NUMBERS, columns=["e0", "e1", "e2"]).assign(label=LABELS)


def parquet_bytes(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink, **options)
    return sink.getvalue()


def lists(rows: list[Any]) -> pa.Table:
    return pa.table({"embedding": pa.array(rows)})


def columns(path: Path, **options: Any) -> dict[str, Any]:
    return inside("table", [path], ACCEPTED, {"lenient": False, **options})[1]


def test_every_kind_gives_the_same_table_through_the_process(tmp_path: Path) -> None:
    table = pa.Table.from_pandas(frame())
    feather.write_feather(table, tmp_path / "a.feather")
    with ipc.new_stream(tmp_path / "b.arrow", table.schema) as stream:
        stream.write_table(table)
    frame().to_parquet(tmp_path / "c.parquet")
    frame().to_csv(tmp_path / "d.csv", index=False)
    frame().to_csv(tmp_path / "e.tsv", index=False, sep="\t")
    made(
        tmp_path,
        "f.npz",
        npz(**{name: frame()[name].to_numpy() for name in ("e0", "e1", "e2")}, label=np.array(LABELS)),
    )
    for path in sorted(tmp_path.iterdir()):
        found = read_table(path)
        assert (found.name, len(found), found.refused, found.notes) == (path.name, 4, (), ())
        assert list(found.columns) == ["e0", "e1", "e2", "label"]
        assert np.array_equal(np.stack([found.columns[f"e{k}"] for k in range(3)], axis=1), NUMBERS)
        assert found.columns["label"] == LABELS


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_lists_become_a_matrix(tmp_path: Path, suffix: str) -> None:
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(NUMBERS.reshape(-1).astype(np.float32)), 3)
    table = pa.table(
        {"v": pa.array(NUMBERS.tolist()), "f": fixed, "d": pa.array(LABELS).dictionary_encode(), "b": [True, False] * 2}
    )
    (parquet.write_table if suffix == ".parquet" else feather.write_feather)(table, tmp_path / f"a{suffix}")
    found = columns(tmp_path / f"a{suffix}")
    assert np.array_equal(found["v"], NUMBERS)
    assert found["f"].dtype == np.float32
    assert np.array_equal(found["f"], NUMBERS)
    assert found["d"] == LABELS
    assert found["b"].tolist() == [1, 0, 1, 0]


def test_a_slice_of_lists_is_read_as_it_is(tmp_path: Path) -> None:
    feather.write_feather(lists(NUMBERS.tolist()).slice(1, 2), tmp_path / "a.feather")
    assert np.array_equal(columns(tmp_path / "a.feather")["embedding"], NUMBERS[1:3])


@pytest.mark.parametrize("dtype", [">f8", "<f2", "i1", ">u4", "?"])
def test_arrays_of_any_type_come_in_this_machines_order(tmp_path: Path, dtype: str) -> None:
    array = np.asfortranarray((np.arange(6).reshape(3, 2) % 2).astype(dtype))
    found = columns(made(tmp_path, "a.npz", npz(x=array)))["x"]
    assert found.dtype.isnative
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,y\n007,1\n8,2\n", {"id": ["007", "8"], "y": [1, 2]}),
        ("e0,e1\r\n1,2\r\n3,4\r\n", {"e0": [1, 3], "e1": [2, 4]}),
        ("\ufeffe0,e1\n1,2\n\n\n", {"e0": [1], "e1": [2]}),
        ("e0;e1\n0.5;1\n", {"e0": [0.5], "e1": [1]}),
        ('text,y\n"a, ""b""\nc",x\n', {"text": ['a, "b"\nc'], "y": ["x"]}),
        ("0,1\n0.5,1.5\n", {"0": [0.5], "1": [1.5]}),
        ("0,1\n1,2\n", {"c0": [0, 1], "c1": [1, 2]}),
        ("0.5,cat\n1.5,dog\n", {"c0": [0.5, 1.5], "c1": ["cat", "dog"]}),
        (",e0\n0,5\n1,6\n", {"e0": [5, 6]}),
        (",e0\n7,5\n1,6\n", {"column 0": [7, 1], "e0": [5, 6]}),
        ("y,e0\na,1\n2,3\n3,4\n", {"y": ["a", "2", "3"], "e0": [1, 3, 4]}),
        ("id\n12345678901234567890\n12345678901234567891\n", {"id": ["12345678901234567890", "12345678901234567891"]}),
        ("name\nnan\u2028x\n", {"name": ["nan\u2028x"]}),
    ],
)
def test_text_is_taken_as_it_stands(tmp_path: Path, text: str, expected: dict[str, list[Any]]) -> None:
    found = columns(made(tmp_path, "a.csv", text))
    assert {name: list(values) for name, values in found.items()} == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,4\n5,6\n7,8\n9,10,11\n", "E131 Line 6 has 3 cells, the header has 2."),
        ("a,b,c\n1,2,3\n4,5\n", "E131 Line 3 has 2 cells, the header has 3. Missing values must be filled."),
        ("a,b\n1,2,3\n", "E131 Line 2 has 3 cells, the header has 2. Is a name missing for the first (index) column?"),
        ("a,b\n1,2\n\n3,4\n", "E131 Line 3 has 0 cells, the header has 2. Missing values must be filled."),
        ("a,b\n1,n/a?\n2,3\n4,5\n1,x\n6,7\n", "E132 Line 2, column 'b': 'n/a?' is not a number. And 1 more row."),
        ("a\n1_0\n2\n3\n", "E132 Line 2, column 'a': '1_0' is not a number."),
        ("a,b\n1,2\n,3\n", "E133 Line 3, column 'a' is empty. 1 row is affected."),
        ("a,b\n1,\n2,\n", "E133 Line 2, column 'b' is empty. 2 rows are affected."),
        (
            "a;b\n0,5;1,5\n",
            "E134 The file uses ';' and decimal commas (0,5). Export with decimal points and ',' between cells.",
        ),
        (b"a,b\n1,2\n\xff,3\n", "E135 Byte 8 (line 3) is not UTF-8. Save as UTF-8."),
        (b"a,b\n1,\x002\n", "E135 Byte 6 (line 2) is a zero, which no text has. Save as CSV UTF-8."),
        ("a,b\n1,2\n".encode("utf-16"), "E135 The text is UTF-16, not UTF-8. In a spreadsheet choose 'CSV UTF-8'."),
        ("a,b\n", "E109 There is a header but no row."),
        ("\n\n", "E109 There is neither a header nor a row."),
        ("\na,b\n1,2\n", "E109 There is no header on line 1."),
        ('a,b\n1,"2\n3,4\n', "E136 A quote opened on line 2 is never closed."),
        (
            'a,b\n"1"2,3\n',
            'E136 Line 2: a quote ends in the middle of a cell. Double a quote that belongs to the text ("").',
        ),
        ("a\n" + "x" * 140_000 + "\n", "E139 Line 2 has a cell of more than 131,072 characters. Shorten it."),
        ("a,a\n1,2\n", "E137 Two columns are called 'a'."),
        ("a\n" + "1\n" * 51, "E106 51 rows; the limit here is 50. Upload a sample"),
        (",".join(f"e{k}" for k in range(85)) + "\n1\n", "E107 85 columns; the limit is 20."),
    ],
)
def test_text_that_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = made(tmp_path, "a.csv", text)
    assert refusal("table", [path], ACCEPTED, {"lenient": False}, SMALL).startswith(message)


def test_a_lenient_reader_lists_what_it_left_out(tmp_path: Path) -> None:
    path = made(tmp_path, "a.csv", "e0,e1,label\n1,2.5,a\n3,4\n,3,b\nx,3,b\n7,8,c\n1,1,d\n2,nan,d\n\n4,4,e\n")
    found = read_table(path, lenient=True)
    assert found.refused == (
        RefusedRow(3, "2 cells, the header has 3. Missing values must be filled."),
        RefusedRow(4, "column 'e0' is empty."),
        RefusedRow(5, "column 'e0': 'x' is not a number."),
        RefusedRow(9, "0 cells, the header has 3. Missing values must be filled."),
    )
    assert found.columns["label"] == ["a", "c", "d", "d", "e"]
    assert list(found.columns["e0"]) == [1, 7, 1, 2, 4]
    with pytest.raises(Refused, match=r"^E131 Line 3 has 2 cells"):
        read_table(path)


def test_a_lenient_reader_leaves_out_rows_with_nulls(tmp_path: Path) -> None:
    made(tmp_path, "a.parquet", parquet_bytes(pa.table({"x": [1.0, None, 3.0], "y": ["a", "b", None]})))
    told, found = inside("table", [tmp_path / "a.parquet"], ACCEPTED, {"lenient": True})
    assert told["refused"] == [[1, "column 'x' is null."], [2, "column 'y' is null."]]
    assert (found["x"].tolist(), found["y"]) == ([1.0], ["a"])


STRUCT = pa.table({"embedding": pa.array([{"a": 1}])})
COLUMNAR = [
    (lists([[1.0, 2.0], [3.0, 4.0], [5.0]]), "E141 Column 'embedding', row 2 has 1 number, the other rows 2."),
    (STRUCT, "E142 Column 'embedding' is a struct; a list of numbers or one column per dimension is needed."),
    (lists([[[1.0]]]), "E142 Column 'embedding' is nested; a list of numbers or one column per dimension is needed."),
    (lists([[1.0, 2.0], [3.0, None]]), "E143 Column 'embedding', row 1 has 1 null."),
    (lists([[1.0], None]), "E143 Column 'embedding', row 1 is null. 1 row in all."),
    (
        pa.table({"t": pa.array([0], pa.timestamp("ms"))}),
        "E111 Column 't': Values of type timestamp[ms] are not plain numbers.",
    ),
    (pa.table({"t": pa.array([b"x"])}), "E111 Column 't': Values of type binary are not plain numbers."),
    (pa.table({"x": pa.array([], pa.float32())}), "E109 Shape (0, 1): there are no rows."),
    (pa.table({"x": np.zeros(51)}), "E106 51 rows; the limit here is 50."),
    (lists([[0.0] * 600_000]), "E106 1 rows with 600,000 values; the limit here is 262,144 values."),
]


@pytest.mark.parametrize(("table", "message"), COLUMNAR)
@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_columns_that_are_refused(tmp_path: Path, suffix: str, table: pa.Table, message: str) -> None:
    path = tmp_path / f"a{suffix}"
    (parquet.write_table if suffix == ".parquet" else feather.write_feather)(table, path)
    assert refusal("table", [path], ACCEPTED, {"lenient": False}, SMALL).startswith(message)


def test_a_small_parquet_file_of_a_gigabyte_is_refused_by_its_footer(tmp_path: Path) -> None:
    repeated = pa.table({"x": pa.DictionaryArray.from_arrays(pa.array(np.zeros(1 << 22, np.int8)), pa.array([1.0]))})
    path = made(tmp_path, "a.parquet", parquet_bytes(repeated))
    assert path.stat().st_size < 20_000
    message = refusal("table", [path], ACCEPTED, {"lenient": False})
    assert message.startswith("E106 4,194,304 rows; the limit here is 1,000,000.")


@pytest.mark.parametrize("cut", [10, 100, 400])
def test_a_cut_file_is_said_to_be_cut(tmp_path: Path, cut: int) -> None:
    whole = parquet_bytes(pa.Table.from_pandas(frame()))
    path = made(tmp_path, "a.parquet", whole[:-cut])
    assert refusal("table", [path], ACCEPTED, {"lenient": False}).startswith(
        "E104 a.parquet: The Parquet footer is missing: the file is cut short."
    )


ARRAYS = [
    (npz(x=NUMBERS, y=np.arange(3)), "E151 Arrays of different lengths: 'x' has 4 rows, 'y' 3."),
    (npz(x=np.zeros((2, 2, 2))), "E108 Array 'x' has shape (2, 2, 2): one or two dimensions are needed."),
    (
        npz(x=np.zeros(2, complex)),
        "E111 Array 'x': Numbers are complex. Use np.abs(x), or np.hstack([x.real, x.imag]).",
    ),
    (npz(x=np.zeros(2, "M8[s]")), "E111 Array 'x': Values of type datetime64[s] are not plain numbers."),
    (npz(x=np.zeros(0)), "E109 Array 'x': there are no rows."),
    (npz(), "E116 a.npz is an archive without an array."),
]


@pytest.mark.parametrize(("content", "message"), ARRAYS)
def test_archives_that_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = made(tmp_path, "a.npz", content)
    assert refusal("table", [path], ACCEPTED, {"lenient": False}).startswith(message)


def test_with_gaps_only_uneven_rows_are_left_out(tmp_path: Path) -> None:
    path = made(tmp_path, "gaps.csv", b"a,b,label\n1,,x\n2,oops,y\n3,4\n,5,x\n6,7,\n")
    told, found = inside("table", [path], ACCEPTED, {"lenient": GAPS})
    assert told["refused"] == [[4, "2 cells, the header has 3. Missing values must be filled."]]
    assert {name: list(column) for name, column in found.items()} == {
        "a": ["1", "2", "", "6"],
        "b": ["", "oops", "5", "7"],
        "label": ["x", "y", "x", ""],
    }


def test_with_gaps_nulls_are_nan_or_empty_and_rows_without_a_list_are_left_out(tmp_path: Path) -> None:
    table = pa.table(
        {
            "whole": pa.array([1, None, 3]),
            "real": pa.array([None, 0.5, 1.5]),
            "flag": pa.array([True, None, False]),
            "text": pa.array(["a", None, "c"]),
            "category": pa.array(["p", None, "q"]).dictionary_encode(),
            "list": pa.array([[1.0, 2.0], [3.0, 4.0], None]),
        }
    )
    path = made(tmp_path, "gaps.parquet", parquet_bytes(table))
    told, found = inside("table", [path], ACCEPTED, {"lenient": GAPS})
    assert told["refused"] == [[2, "column 'list' is null."]]
    assert (found["text"], found["category"]) == (["a", ""], ["p", ""])
    for name, wanted in (("whole", [1, np.nan]), ("real", [np.nan, 0.5]), ("flag", [1, np.nan])):
        np.testing.assert_array_equal(found[name], wanted)
    assert found["list"].tolist() == [[1, 2], [3, 4]]
