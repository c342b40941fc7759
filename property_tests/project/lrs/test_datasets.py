"""Files → data: the same rows from every format, and one clear refusal for each kind of malformed file."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lrs import Instance, InvalidInput, LRSModel, MultiTaskData
from lrs.datasets import file_kind, load_data, load_table, table_features, with_intercept

ROLES = {"task": "school", "target": "score"}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz", "table.parquet"])
def test_every_format_gives_the_same_data(name: str, frame: pd.DataFrame, tmp_path: Path, instance: Instance):
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    assert file_kind(path) == "table"
    data = load_data(path, **ROLES)
    expected = MultiTaskData.from_frame(frame, **ROLES)
    assert np.array_equal(data.X, expected.X)
    assert np.array_equal(data.y, expected.y)
    assert data.task_names == tuple(range(30))
    assert data.counts.tolist() == instance.problem.data.counts.tolist()


def test_an_instance_file_is_data(instance_file: Path, instance: Instance):
    assert file_kind(instance_file) == "instance"
    assert np.array_equal(load_data(instance_file).X, instance.problem.data.X)
    with pytest.raises(InvalidInput, match=r"task: .* is an .npz instance, whose columns are fixed"):
        load_data(instance_file, task="school")


def test_a_model_file_is_not_data(instance: Instance, tmp_path: Path):
    path = instance.truth.save(tmp_path / "m.npz")
    assert file_kind(path) == "model"
    with pytest.raises(InvalidInput, match="is a model, not data"):
        load_data(path)


def test_features_are_chosen_in_order(csv_file: Path):
    assert load_data(csv_file, **ROLES, features=["x3", "x1"]).feature_names == ("x3", "x1")


def test_labels_mean_the_same_in_every_file(tmp_path: Path):
    numbers = load_data(write(tmp_path / "a.csv", "school,score,a\n10,1,2\n2,3,4\n"), **ROLES)
    assert numbers.task_names == (2, 10)  # ordered as numbers
    text = load_data(write(tmp_path / "b.csv", "school,score,a\n007,1,2\n7,3,4\n"), **ROLES)
    assert text.task_names == ("007", "7")  # two labels, not one
    with_bom = tmp_path / "c.csv"
    with_bom.write_bytes("school,score,a\n1,1,2\n".encode("utf-8-sig"))
    assert load_data(with_bom, **ROLES).task_names == (1,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; expected a header line"),
        ("school,score,a\n", "a header but no rows"),
        ("school,score,a,a\n1,2,3,4\n", r"column name\(s\) 'a' occur more than once; rename them"),
        ("school,score,a,score\n1,2,3,4\n", r"'score' occur more than once"),
        (",school,score,a\n0,1,2,3\n", r"column 1 has no name \(a saved row index\?\)"),
        ("school,score,a\n1,2,3\n,4,5\n", r"column 'school' has 1 missing value\(s\) \(first at row 1\)"),
        ("school,score,a\n1,2,b\n1,4,5\n", r"column 'a' is not numeric \(it holds 'b'\)"),
        ("school,score,a\n1,two,3\n", r"target: column 'score' is not numeric \(it holds 'two'\)"),
        ("school,score,a\n1,2,\n", r"column 'a' has a missing or infinite value \(first at row 0\)"),
        ("school,score,a\n1,2,inf\n", "column 'a' has a missing or infinite value"),
        ("school,score,a\n1,2,3\n1,2,3,4\n", r"rows do not fit the header"),
        ("school,score,a\n1,2,3,4\n1,2,3,4\n", "rows do not fit the header"),
        ("school;score;a\n1;2;3\n", "is not comma-separated"),
        ("school,score\n1,2\n", "no feature columns are left"),
        ("class,mark,a\n1,2,3\n", "task: no column 'school' in .*; the columns are class, mark, a"),
        ("school,mark,a\n1,2,3\n", "target: no column 'score' in .*; the columns are school, mark, a"),
    ],
)
def test_malformed_csv_is_refused(text: str, message: str, tmp_path: Path):
    with pytest.raises(InvalidInput, match=message) as caught:
        load_data(write(tmp_path / "table.csv", text), **ROLES)
    assert "table.csv" in str(caught.value)


def test_missing_roles_list_the_columns(tmp_path: Path):
    path = write(tmp_path / "table.csv", "school,score,a\n1,2,3\n")
    with pytest.raises(
        InvalidInput, match=r"task: name the task column of .* with --task; the columns are school, score, a"
    ):
        load_data(path, target="score")
    with pytest.raises(InvalidInput, match=r"target: name the target column"):
        load_data(path, task="school")


def test_damaged_files_are_refused(tmp_path: Path, frame: pd.DataFrame):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode())[:-200])
    with pytest.raises(InvalidInput, match="damaged or not a CSV file"):
        load_table(path)
    path.write_text("school,score,a\n1,2,3\n")
    with pytest.raises(InvalidInput, match=r"damaged or not a CSV file .Not a gzipped file"):
        load_table(path)
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xff\xfe\x00s\x00c")
    with pytest.raises(InvalidInput, match="not UTF-8 text"):
        load_table(path)
    path = tmp_path / "table.parquet"
    frame.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidInput, match="damaged or not a Parquet file"):
        load_table(path)


def test_files_that_are_not_there_or_unknown(tmp_path: Path):
    with pytest.raises(InvalidInput, match="no such file"):
        load_data(tmp_path / "table.csv", **ROLES)
    with pytest.raises(InvalidInput, match="is a folder"):
        load_data(tmp_path, **ROLES)
    path = write(tmp_path / "table.xlsx", "x")
    with pytest.raises(InvalidInput, match=r"unknown extension; expected .npz, .csv, .csv.gz or .parquet"):
        load_data(path, **ROLES)
    with pytest.raises(InvalidInput, match="unknown extension for a table"):
        load_table(path)


def test_the_intercept_is_a_constant_last_column(instance: Instance):
    data = with_intercept(instance.problem.data)
    assert data.feature_names[-1] == "intercept"
    assert (data.X[:, -1] == 1).all()
    with pytest.raises(InvalidInput, match="have a column 'intercept' already"):
        with_intercept(data)


def test_table_features_follow_the_model(frame: pd.DataFrame):
    model = LRSModel(np.eye(3)[:, :1], np.ones((1, 1)), sparse.csr_array((1, 3)), ("0",), ("x2", "x0", "intercept"))
    X = table_features("t.csv", frame, model)
    assert np.array_equal(X, np.column_stack([frame["x2"], frame["x0"], np.ones(len(frame))]))
    with pytest.raises(InvalidInput, match=r"t.csv: the model's feature 'x0' is missing; the columns are school"):
        table_features("t.csv", frame.drop(columns="x0"), model)
