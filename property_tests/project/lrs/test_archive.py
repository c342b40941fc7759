"""Files: a round trip gives back the same bits, and nothing foreign or damaged is read as if it were ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lrs import Instance, InvalidInput, LRSModel
from lrs.core import archive


def rewrite_header(path: Path, **changes: object) -> None:
    """The same file with another header."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    header = json.loads(bytes(arrays.pop("header")).decode()) | changes
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **arrays)


def test_instance_round_trip(instance: Instance, tmp_path: Path):
    again = Instance.load(instance.save(tmp_path / "a.npz"))
    for name in ("X", "y", "offsets"):
        assert np.array_equal(getattr(again.problem.data, name), getattr(instance.problem.data, name))
    assert np.array_equal(again.truth.theta, instance.truth.theta)
    assert (again.spec, again.seed) == (instance.spec, instance.seed)
    assert (again.problem.rank, again.problem.sparsity, again.problem.noise) == (1, 1, 0.0)


def test_model_round_trip(instance: Instance, tmp_path: Path):
    truth = instance.truth
    model = LRSModel(truth.U, truth.W, truth.B, tuple(range(truth.t)), instance.problem.data.feature_names)
    again = LRSModel.load(model.save(tmp_path / "a.npz"))
    assert np.array_equal(again.theta, model.theta)
    assert again.B.nnz == model.B.nnz
    assert again.feature_names == model.feature_names
    assert again.task_names == tuple(str(n) for n in model.task_names)  # labels are stored as text
    assert again.task_index([3, "4"]).tolist() == [3, 4]


def test_nothing_is_pickled(instance: Instance, tmp_path: Path):
    with np.load(instance.save(tmp_path / "a.npz"), allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored.files)


def test_an_existing_file_is_kept(instance: Instance, tmp_path: Path):
    path = instance.save(tmp_path / "a.npz")
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="exists already"):
        instance.truth.save(path)
    assert path.read_bytes() == before
    instance.truth.save(path, overwrite=True)
    assert LRSModel.load(path).t == instance.truth.t


def test_a_failed_write_leaves_no_litter(instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InvalidInput, match=r"cannot be written .No space left on device"):
        instance.save(tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(instance: Instance, tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"folder .* does not exist"):
        instance.save(tmp_path / "no" / "a.npz")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(instance_file: Path, share: float):
    content = instance_file.read_bytes()
    instance_file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InvalidInput, match=r"damaged or not an .npz file"):
        Instance.load(instance_file)


def test_foreign_files_are_refused(tmp_path: Path):
    path = tmp_path / "foreign.npz"
    np.savez(path, X=np.ones((3, 2)))
    with pytest.raises(InvalidInput, match="not a file of this toolkit"):
        Instance.load(path)
    np.save(tmp_path / "plain.npy", np.ones(3))
    (tmp_path / "plain.npy").rename(path)
    with pytest.raises(InvalidInput, match="not a file of this toolkit"):
        Instance.load(path)
    np.savez(path, header=np.frombuffer(b"[1, 2]", dtype=np.uint8))
    with pytest.raises(InvalidInput, match="not a file of this toolkit"):
        Instance.load(path)
    np.savez(path, header=np.array([{"format": "lrs-toolkit"}]))
    with pytest.raises(InvalidInput, match=r"damaged or not an .npz file .*allow_pickle=False"):
        Instance.load(path)
    path.write_text("school,score\n1,2\n")
    with pytest.raises(InvalidInput, match=r"damaged or not an .npz file"):
        Instance.load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 99}, "file version 99, this toolkit reads up to version 2"),
        ({"version": None}, "file version None"),
        ({"format": "somebody-else"}, "written by another program .format 'somebody-else'."),
        ({"kind": "model"}, "holds a 'model', expected a 'instance'"),
        ({"rank": 99}, "rank: r = 99 is outside"),
        ({"spec": {"t": 3}}, "m, d, r, k: missing"),
    ],
)
def test_other_versions_and_kinds_are_refused(instance_file: Path, changes: dict, message: str):
    rewrite_header(instance_file, **changes)
    with pytest.raises(InvalidInput, match=message):
        Instance.load(instance_file)


def test_a_model_of_another_version_is_refused(instance: Instance, tmp_path: Path):
    path = instance.truth.save(tmp_path / "m.npz")
    rewrite_header(path, version=3)
    with pytest.raises(InvalidInput, match="file version 3"):
        LRSModel.load(path)


@pytest.mark.parametrize("missing", ["U", "W", "B_data", "B_indices", "B_indptr"])
def test_missing_arrays_are_named(instance: Instance, tmp_path: Path, missing: str):
    path = instance.truth.save(tmp_path / "m.npz")
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files if name != missing}
    np.savez(path, **arrays)
    with pytest.raises(InvalidInput, match=rf"array\(s\) {missing} are missing"):
        LRSModel.load(path)


def test_a_damaged_sparse_part_is_refused(instance: Instance):
    arrays = instance.truth.to_arrays()
    arrays["B_indices"] = arrays["B_indices"] + 1000
    with pytest.raises(InvalidInput, match="B: damaged sparse part"):
        LRSModel.from_arrays(arrays)


def test_missing_files_and_folders(tmp_path: Path):
    with pytest.raises(InvalidInput, match="no such file"):
        archive.read(tmp_path / "a.npz", None)
    with pytest.raises(InvalidInput, match="is a folder"):
        archive.read(tmp_path, None)
