"""Hostile files, made once in a folder: each is a good one with one thing wrong."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lrs import Instance, InstanceSpec, cli, generate, solve
from property_tests.examine.ledger import Entry, Ledger

DEEP = "[" * 100_000 + "]" * 100_000
BYTES = bytes(range(256)) * 8


def instance() -> Instance:
    return generate(InstanceSpec(t=30, m=20, d=8, r=1, k=1), seed=3)


def good(folder: Path) -> None:
    """What every verb takes: an instance, a table, models, a sweep, a ledger, a trace, a key."""
    made = instance()
    made.save(folder / "good.npz")
    generate(InstanceSpec(t=4, m=3, d=3, r=1, k=1, noise=0.5), 1).save(folder / "small.npz")
    data = made.problem.data
    table = pd.DataFrame(data.X, columns=list(data.feature_names))
    table.insert(0, "school", data.groups)
    table.insert(1, "score", data.y)
    table.to_csv(folder / "good.csv", index=False)
    table.to_parquet(folder / "good.parquet", index=False)
    solution = solve(made.problem)
    model = type(solution.model)(
        solution.model.U, solution.model.W, solution.model.B, tuple(range(30)), data.feature_names
    )
    model.save(folder / "model.npz")
    (folder / "trace.csv").write_text("error\n" + "".join(f"{0.3**i:.17g}\n" for i in range(25)))
    (folder / "key").write_bytes(b"0123456789abcdef0123")
    (folder / "spec.toml").write_text(
        'x = "m=6,12"\nsolvers = ["global"]\nreplicates = 2\n[fixed]\nd = 5\nr = 1\nk = 1\nt = 8\n'
    )
    sweep = ("--x", "m=6,12", "--y", "k=1,2", "--fixed", "d=5,r=1,t=8", "--solver", "global", "--replicates", "2")
    assert cli.run(["sweep", *sweep, "--workers", "0", "--out", str(folder / "sweep")]) == 0
    with Ledger(folder / "ledger.jsonl") as book:
        for i in range(3):
            book.add(Entry("e", "amht", "conduct/answers", "count", "{}", i, True, 0.5, 0))


# ------------------------------------------------------------------------------------------------ archives
def npz(path: Path, source: Path, header: Mapping[str, Any] | None = None, **arrays: Any) -> None:
    """Another archive with parts of it exchanged; None takes one out."""
    with np.load(source) as stored:
        parts = {name: stored[name] for name in stored.files}
    said = json.loads(bytes(parts.pop("header")).decode())
    for name, value in (header or {}).items():
        said[name] = value
        if value is None and name != "spec":
            del said[name]
    parts |= arrays
    text = json.dumps(said).encode()
    np.savez(path, header=np.frombuffer(text, dtype=np.uint8), **{n: a for n, a in parts.items() if a is not None})


def member(path: Path, source: Path, name: str, content: bytes, **how: Any) -> None:
    """A copy with the bytes of one member exchanged."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", **how) as new:
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename == f"{name}.npy" else old.read(info))


def npy_header(text: str, version: bytes = b"\x01\x00") -> bytes:
    raw = text.encode("latin-1") + b"\n"
    return b"\x93NUMPY" + version + len(raw).to_bytes(2, "little") + raw


def patched(path: Path, source: Path, change: Callable[[bytearray], None]) -> None:
    content = bytearray(source.read_bytes())
    change(content)
    path.write_bytes(content)


def _encrypted(content: bytearray) -> None:
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = content.find(mark)
        while position >= 0:
            content[position + at] |= 1
            position = content.find(mark, position + 4)


def _method(number: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            position = content.find(mark)
            while position >= 0:
                content[position + at] = number
                position = content.find(mark, position + 4)

    return change


def archives(folder: Path) -> Iterator[str]:
    """Names of instance files that nothing can be done with."""
    source, whole = folder / "good.npz", (folder / "good.npz").read_bytes()
    with np.load(source) as stored:
        X, y, offsets = stored["X"], stored["y"], stored["offsets"]
    bad: dict[str, Any] = {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "no_end": whole[:-30],
        "no_start": whole[100:],
        "bytes": BYTES,
        "text": b"school,score\n1,2\n",
        "flip_1": lambda p: patched(p, source, lambda c: c.__setitem__(len(c) // 3, c[len(c) // 3] ^ 16)),
        "flip_2": lambda p: patched(p, source, lambda c: c.__setitem__(len(c) // 2, c[len(c) // 2] ^ 1)),
        "flip_3": lambda p: patched(p, source, lambda c: c.__setitem__(80, c[80] ^ 128)),
        "encrypted": lambda p: patched(p, source, _encrypted),
        "method_99": lambda p: patched(p, source, _method(99)),
        "method_bz2": lambda p: patched(p, source, _method(12)),
        "method_lzma": lambda p: patched(p, source, _method(14)),
        "method_deflate": lambda p: patched(p, source, _method(8)),
        "header_list": lambda p: member(p, source, "header", _saved(np.frombuffer(b"[1, 2]", np.uint8))),
        "header_null": lambda p: member(p, source, "header", _saved(np.frombuffer(b"null", np.uint8))),
        "header_deep": lambda p: member(p, source, "header", _saved(np.frombuffer(DEEP.encode(), np.uint8))),
        "header_latin": lambda p: member(p, source, "header", _saved(np.frombuffer(b'{"a": "\xe9"}', np.uint8))),
        "header_float": lambda p: member(p, source, "header", _saved(np.ones(5))),
        "header_bytes": lambda p: member(p, source, "header", BYTES),
        "huge_shape": lambda p: member(
            p, source, "X", npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1), }")
        ),
        "negative_shape": lambda p: member(
            p, source, "X", npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 8), }")
        ),
        "shape_words": lambda p: member(
            p, source, "X", npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': ('a', 8), }")
        ),
        "bad_dtype": lambda p: member(
            p, source, "X", npy_header("{'descr': 'nope', 'fortran_order': False, 'shape': (1,), }")
        ),
        "bad_npy_header": lambda p: member(p, source, "X", npy_header("{'descr': ")),
        "deep_npy_header": lambda p: member(p, source, "X", npy_header("(" * 5000)),
        "call_npy_header": lambda p: member(p, source, "X", npy_header("__import__('os').abort()")),
        "npy_version": lambda p: member(p, source, "X", npy_header("{}", b"\x09\x00")),
        "objects": lambda p: npz(p, source, X=np.array([[{"a": 1}] * 8] * 600, dtype=object)),
        "strings": lambda p: npz(p, source, X=X.astype("U25")),
        "bytes_array": lambda p: npz(p, source, y=y.astype("S25")),
        "dates": lambda p: npz(p, source, y=np.arange(600).astype("datetime64[s]")),
        "durations": lambda p: npz(p, source, X=np.ones((600, 8)).astype("timedelta64[s]")),
        "structured": lambda p: npz(p, source, y=np.zeros(600, dtype=[("a", float), ("b", int)])),
        "complex": lambda p: npz(p, source, X=X + 1j),
        "nan": lambda p: npz(p, source, X=np.where(np.arange(8) == 2, np.nan, X)),
        "infinite": lambda p: npz(p, source, y=np.where(np.arange(600) == 5, np.inf, y)),
        "no_X": lambda p: npz(p, source, X=None),
        "no_truth": lambda p: npz(p, source, truth_U=None),
        "flat_X": lambda p: npz(p, source, X=X.ravel()),
        "zero_d": lambda p: npz(p, source, y=np.array(1.0)),
        "no_rows": lambda p: npz(p, source, X=X[:0], y=y[:0]),
        "short_y": lambda p: npz(p, source, y=y[:-1]),
        "offsets_down": lambda p: npz(p, source, offsets=offsets[::-1].copy()),
        "offsets_float": lambda p: npz(p, source, offsets=offsets + 0.5),
        "offsets_far": lambda p: npz(p, source, offsets=offsets * 10**15),
        "truth_shape": lambda p: npz(p, source, truth_U=np.ones((3, 1))),
        "truth_words": lambda p: npz(p, source, truth_W=np.full((30, 1), "a")),
        "truth_nan": lambda p: npz(p, source, truth_W=np.full((30, 1), np.nan)),
        "sparse_indices": lambda p: npz(p, source, truth_B_indices=np.full(30, 10**9)),
        "sparse_indptr": lambda p: npz(p, source, truth_B_indptr=np.arange(31)[::-1].copy()),
        "rank_word": lambda p: npz(p, source, {"rank": "one"}),
        "rank_negative": lambda p: npz(p, source, {"rank": -1}),
        "rank_huge": lambda p: npz(p, source, {"rank": 10**30}),
        "rank_list": lambda p: npz(p, source, {"rank": [1]}),
        "sparsity_nan": lambda p: npz(p, source, {"sparsity": float("nan")}),
        "noise_infinite": lambda p: npz(p, source, {"noise": float("inf")}),
        "noise_null": lambda p: npz(p, source, {"noise": [None]}),
        "names_short": lambda p: npz(p, source, {"feature_names": ["a"]}),
        "names_dict": lambda p: npz(p, source, {"feature_names": {"a": 1}}),
        "names_null": lambda p: npz(p, source, {"feature_names": [None] * 8}),
        "names_number": lambda p: npz(p, source, {"feature_names": list(range(8))}),
        "names_twice": lambda p: npz(p, source, {"feature_names": ["a"] * 8}),
        "tasks_null": lambda p: npz(p, source, {"task_names": [None] * 30}),
        "tasks_number": lambda p: npz(p, source, {"task_names": 7}),
        "spec_word": lambda p: npz(p, source, {"spec": "nothing"}),
        "spec_unknown": lambda p: npz(p, source, {"spec": {"t": 1, "hue": 3}}),
        "seed_word": lambda p: npz(p, source, {"seed": "x"}),
        "version": lambda p: npz(p, source, {"version": 99}),
        "version_word": lambda p: npz(p, source, {"version": [1]}),
        "family_version": lambda p: npz(p, source, {"family_version": "new"}),
        "format": lambda p: npz(p, source, {"format": "other"}),
        "kind": lambda p: npz(p, source, {"kind": ["instance"]}),
        "family": lambda p: npz(p, source, {"family": "os:system"}),
        "family_list": lambda p: npz(p, source, {"family": ["low-rank-sparse"]}),
        "places_list": lambda p: npz(p, source, {"places": [1, 2]}),
        "places_wrong": lambda p: npz(p, source, {"places": {"X": ["truth", "U", "deep"]}}),
        "places_empty": lambda p: npz(p, source, {"places": {"X": []}}),
    }
    yield from _made(folder, ".npz", bad)


def _saved(array: np.ndarray) -> bytes:
    import io

    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _made(folder: Path, suffix: str, bad: Mapping[str, Any]) -> Iterator[str]:
    for name, content in bad.items():
        path = folder / f"{name}{suffix}"
        if isinstance(content, bytes | str):
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        else:
            content(path)
        yield path.name


def models(folder: Path) -> Iterator[str]:
    """Names of model files that nothing can be done with."""
    source = folder / "model.npz"
    bad: dict[str, Any] = {
        "m_nan": lambda p: npz(p, source, U=np.full((8, 1), np.nan)),
        "m_words": lambda p: npz(p, source, W=np.full((30, 1), "a")),
        "m_dates": lambda p: npz(p, source, W=np.ones((30, 1)).astype("datetime64[s]")),
        "m_shape": lambda p: npz(p, source, U=np.ones((8, 3))),
        "m_zero_d": lambda p: npz(p, source, U=np.array(2.0)),
        "m_no_B": lambda p: npz(p, source, B_data=None),
        "m_indices": lambda p: npz(p, source, B_indices=np.full(30, -5)),
        "m_indices_far": lambda p: npz(p, source, B_indices=np.full(30, 10**12)),
        "m_indptr": lambda p: npz(p, source, B_indptr=np.zeros(3, dtype=int)),
        "m_names": lambda p: npz(p, source, {"feature_names": [None, 1, [], {}, 2, 3, 4, 5]}),
        "m_names_few": lambda p: npz(p, source, {"feature_names": ["a"]}),
        "m_tasks": lambda p: npz(p, source, {"task_names": {"a": 1}}),
        "m_tasks_few": lambda p: npz(p, source, {"task_names": ["a"]}),
        "m_header": lambda p: npz(p, source, {"feature_names": None}),
        "m_server": lambda p: npz(p, source, {"kind": "server-model"}),
        "m_truncated": source.read_bytes()[:700],
    }
    yield from _made(folder, ".npz", bad)


# ------------------------------------------------------------------------------------------------ tables
def tables(folder: Path) -> Iterator[str]:
    """Names of tables that nothing can be done with (columns school and score are asked for)."""
    text = (folder / "good.csv").read_text()
    head, rows = text.split("\n", 1)
    column = text.replace("\n", ",later\n")
    bad: dict[str, Any] = {
        "empty": "",
        "newline": "\n\n\n",
        "header_only": head + "\n",
        "bytes": BYTES,
        "zeros": b"\0" * 4096,
        "utf16": text.encode("utf-16"),
        "latin": ("schöol" + text[6:]).encode("latin-1"),
        "ragged": text + "1,2\n" + "1," * 40 + "\n",
        "long_row": head + "\n" + "1," * 20 + "\n",
        "quote": head + '\n"1,2,3\n' + rows,
        "semicolons": text.replace(",", ";"),
        "tabs": text.replace(",", "\t"),
        "twice": text.replace("x1", "x0", 1),
        "blank": text.replace("x1", " ", 1),
        "nan": head + "\n1,nan,1,1,1,1,1,1,1,1\n",
        "missing": head + "\n1,,1,1,1,1,1,1,1,1\n",
        "infinite": head + "\n1,2,inf,1,1,1,1,1,1,1\n",
        "overflow": head + "\n1,2,1e400,1,1,1,1,1,1,1\n",
        "words": head + "\n1,2,three,1,1,1,1,1,1,1\n",
        "dates": head + "\n1,2020-01-01,1,1,1,1,1,1,1,1\n",
        "no_task": head + "\n,2,1,1,1,1,1,1,1,1\n",
        "no_features": "school,score\n1,2\n1,3\n",
        "other_columns": "a,b\n1,2\n",
        "huge_integer": head + "\n1," + "9" * 400 + ",1,1,1,1,1,1,1,1\n",
        "json": '{"school": 1}',
        "later": column,
        "capitals": text.upper(),
        "decimal_commas": text.replace(",", ";").replace(".", ","),
        "percent": head + "\n1,2 %,1,1,1,1,1,1,1,1\n",
        "formula": head + "\n1,=1+1,1,1,1,1,1,1,1,1\n",
        "complex": head + "\n1,1+2j,1,1,1,1,1,1,1,1\n",
        "currency": head + "\n1,2,$1,1,1,1,1,1,1,1\n",
        "thousands": head + '\n1,2,"1,000",1,1,1,1,1,1,1\n',
        "open_quote": head + '\n1,"2,3\n',
        "archive": (folder / "good.npz").read_bytes(),
    }
    yield from _made(folder, ".csv", bad)
    squeezed = gzip.compress(text.encode())
    yield from _made(
        folder,
        ".csv.gz",
        {
            "plain": text,
            "half": squeezed[: len(squeezed) // 2],
            "an_archive": (folder / "good.npz").read_bytes(),
            "flip": squeezed[:50] + bytes([squeezed[50] ^ 255]) + squeezed[51:],
            "empty": b"",
        },
    )
    parquet = (folder / "good.parquet").read_bytes()
    frame = pd.read_csv(folder / "good.csv").head(4)
    yield from _made(
        folder,
        ".parquet",
        {
            "empty": b"",
            "half": parquet[: len(parquet) // 2],
            "bytes": BYTES,
            "csv": text,
            "nested": lambda p: frame.assign(x0=[[1, 2], [3], [], [4]]).to_parquet(p),
            "structs": lambda p: frame.assign(score=[{"a": 1}] * 4).to_parquet(p),
            "times": lambda p: frame.assign(score=pd.Timestamp("2020-01-01")).to_parquet(p),
            "spans": lambda p: frame.assign(x0=pd.Timedelta(1, "s")).to_parquet(p),
            "nothing": lambda p: frame.assign(x0=None).to_parquet(p),
            "no_rows": lambda p: frame.head(0).to_parquet(p),
            "words": lambda p: frame.assign(x0="a").to_parquet(p),
            "lists_of_tasks": lambda p: frame.assign(school=[[1], [2], [3], [4]]).to_parquet(p),
        },
    )


# ------------------------------------------------------------------------------------------------ odd files
def odd(folder: Path) -> Iterator[str]:
    """Names with every suffix that are no ordinary files."""
    for suffix in (".npz", ".csv", ".csv.gz", ".parquet", ".json", ".toml", ".jsonl"):
        os.mkfifo(folder / f"pipe{suffix}")
        (folder / f"folder{suffix}").mkdir()
        (folder / f"zero{suffix}").symlink_to("/dev/zero")
        (folder / f"nowhere{suffix}").symlink_to(folder / "absent")
        (folder / f"circle{suffix}").symlink_to(folder / f"circle{suffix}")
        for kind in ("pipe", "folder", "zero", "nowhere", "circle"):
            yield f"{kind}{suffix}"


# ------------------------------------------------------------------------------------------------ sweeps
def sweeps(folder: Path) -> Iterator[str]:
    """Folders of sweeps whose specification is damaged."""
    text = (folder / "sweep" / "sweep.json").read_text()
    document = json.loads(text)

    def edited(**changes: Any) -> str:
        return json.dumps({**document, **changes})

    bad: dict[str, Any] = {
        "s_empty": "",
        "s_half": text[: len(text) // 2],
        "s_list": "[]",
        "s_null": "null",
        "s_number": "1e999",
        "s_deep": DEEP,
        "s_bytes": BYTES,
        "s_no_spec": edited(spec=None),
        "s_spec_list": edited(spec=[1]),
        "s_hash": edited(hash="0"),
        "s_version": edited(version=99),
        "s_version_word": edited(version={"a": 1}),
        "s_format": edited(format="x"),
        "s_replicates": edited(spec={**document["spec"], "replicates": 10**30}),
        "s_axes": edited(spec={**document["spec"], "axes": None}),
        "s_family": edited(spec={**document["spec"], "family": "os:system"}),
        "s_missing": None,
    }
    for name, content in bad.items():
        goal = folder / name
        shutil.copytree(folder / "sweep", goal)
        path = goal / "sweep.json"
        path.unlink()
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        yield name
    os.mkfifo(_without(folder, "s_pipe", "sweep.json"))
    yield "s_pipe"
    _without(folder, "s_folder", "sweep.json").mkdir()
    yield "s_folder"


def _without(folder: Path, name: str, file: str) -> Path:
    shutil.copytree(folder / "sweep", folder / name)
    (folder / name / file).unlink()
    return folder / name / file


def journals(folder: Path) -> dict[str, bool]:
    """Folders of sweeps whose journal is damaged → whether the sweep is refused (else the trials count as not run)."""
    (shard,) = (folder / "sweep" / "journal").iterdir()
    lines = shard.read_text().splitlines()
    head, first = json.loads(lines[0]), json.loads(lines[1])
    place = {name: i for i, name in enumerate(head["columns"])}

    def row(**changes: Any) -> list[str]:
        found = list(first)
        for name, value in changes.items():
            found[place[name]] = value
        return [lines[0], json.dumps(found), *lines[2:]]

    def header(**changes: Any) -> list[str]:
        return [json.dumps({**head, **changes}), *lines[1:]]

    bad: dict[str, tuple[list[str] | bytes, bool]] = {
        "j_empty": (b"", False),
        "j_bytes": (BYTES, False),
        "j_torn": ([*lines[:-1], lines[-1][:10]], False),
        "j_list": ([lines[0], "[]", *lines[2:]], False),
        "j_dict": ([lines[0], '{"cell": 1}', *lines[2:]], False),
        "j_null": ([lines[0], "null", *lines[2:]], False),
        "j_deep": ([lines[0], DEEP, *lines[2:]], False),
        "j_nulls": ([lines[0], json.dumps([None] * len(first)), *lines[2:]], False),
        "j_lists": ([lines[0], json.dumps([[]] * len(first)), *lines[2:]], False),
        "j_huge_cell": (row(cell=10**30), False),
        "j_far_cell": (row(cell=10**6), False),
        "j_negative_cell": (row(cell=-3), False),
        "j_negative_replicate": (row(replicate=-1), False),
        "j_huge_steps": (row(iterations=10**400), False),
        "j_true_cell": (row(cell=True), False),
        "j_float_cell": (row(cell=0.5), False),
        "j_word_cell": (row(cell="0"), False),
        "j_unknown_outcome": (row(outcome="splendid"), False),
        "j_null_outcome": (row(outcome=None), False),
        "j_number_outcome": (row(outcome=7), False),
        "j_unknown_solver": (row(solver="nobody"), False),
        "j_null_solver": (row(solver=None), False),
        "j_word_error": (row(residual="small"), False),
        "j_huge_error": (row(residual=10**400), False),
        "j_short": ([lines[0], json.dumps(first[:-3]), *lines[2:]], False),
        "j_long": ([lines[0], json.dumps([*first, 1]), *lines[2:]], False),
        "j_twice": ([*lines, *row(outcome="crashed")[1:2]], False),
        "j_columns_few": (header(columns=head["columns"][:4]), True),
        "j_columns_word": (header(columns="cell"), True),
        "j_columns_null": (header(columns=None), True),
        "j_columns_numbers": (header(columns=[1, 2]), True),
        "j_columns_twice": (header(columns=[*head["columns"][:-1], "cell"]), True),
        "j_no_columns": ([json.dumps({n: v for n, v in head.items() if n != "columns"}), *lines[1:]], True),
        "j_host": (header(host="here"), False),
        "j_host_null": (header(host=None), False),
        "j_version": (header(version=99), True),
        "j_version_list": (header(version=[2]), True),
        "j_experiment": (header(experiment="other"), True),
        "j_head_list": (["[]", *lines[1:]], False),
        "j_head_deep": ([DEEP, *lines[1:]], False),
        "j_head_null": (["null", *lines[1:]], False),
    }
    for name, (content, _) in bad.items():
        shutil.copytree(folder / "sweep", folder / name)
        text = content if isinstance(content, bytes) else ("\n".join(content) + "\n").encode()
        (folder / name / "journal" / shard.name).write_bytes(text)
    found = {name: refused for name, (_, refused) in bad.items()}
    for name in ("j_pipe", "j_folder"):
        path = _without(folder, name, f"journal/{shard.name}")
        os.mkfifo(path) if name == "j_pipe" else path.mkdir()
        found[name] = True
    shutil.copytree(folder / "sweep", folder / "j_no_journal")
    shutil.rmtree(folder / "j_no_journal" / "journal")
    return found | {"j_no_journal": False}


# ------------------------------------------------------------------------------------------------ other files
TEXTS = {"expected": ".toml", "spec": ".toml", "trace": ".csv", "ledger": ".jsonl", "lock": ".json", "budget": ".json"}


def texts_of(folder: Path, kind: str) -> list[str]:
    """Names of damaged ledgers, lists of expected failures, specifications of sweeps, lock files, budgets, or traces."""
    ledger = (folder / "ledger.jsonl").read_bytes()
    lines = ledger.split(b"\n")
    anything = {
        "empty": b"",
        "bytes": BYTES,
        "list": b"[1, 2]\n",
        "null": b"null\n",
        "deep": DEEP.encode(),
        "number": b"1e999\n",
    }
    made = {
        "ledger": {
            **{n: v for n, v in anything.items() if n != "empty"},
            "altered": ledger.replace(b"true", b"false", 1),
            "removed": b"\n".join([lines[0], *lines[2:]]),
            "moved": b"\n".join([lines[0], lines[2], lines[1], *lines[3:]]),
            "twice": b"\n".join([*lines[:3], lines[2], *lines[3:]]),
            "dicts": b"\n".join([lines[0], b'{"a": {}}\t0000', b""]),
            "csv": b"a,b\n1,2\n",
        },
        "expected": {
            **{n: v for n, v in anything.items() if n not in ("empty",)},
            "claim_number": b"[[expected]]\nclaim = 3\nreason = 'x'\n",
            "no_reason": b"[[expected]]\nclaim = 'conduct/*'\n",
            "unknown": b"[[expected]]\nclaim = 'conduct/*'\nreason = 'x'\nhue = 'x'\n",
            "nobody": b"[[expected]]\nclaim = 'conduct/*'\nreason = 'x'\nsolver = 'nobody'\n",
            "not_tables": b"expected = [1, 2]\n",
            "table": b"[expected]\nclaim = 'x'\n",
        },
        "spec": {
            **anything,
            "no_axis": b'solvers = ["global"]\n',
            "unknown": b'hue = 3\nx = "m=1,2"\n',
            "x_number": b"x = 3\n",
            "x_list": b'x = ["m=1"]\n',
            "fixed_list": b'x = "m=6,12"\nfixed = [1]\n',
            "fixed_word": b'x = "m=6,12"\n[fixed]\nd = "five"\nr = 1\nk = 1\nt = 8\n',
            "fixed_huge": b'x = "m=6,12"\n[fixed]\nd = 1e400\nr = 1\nk = 1\nt = 8\n',
            "fixed_nan": b'x = "m=6,12"\n[fixed]\nd = nan\nr = 1\nk = 1\nt = 8\n',
            "fixed_date": b'x = "m=6,12"\n[fixed]\nd = 2020-01-01\nr = 1\nk = 1\nt = 8\n',
            "replicates": b'x = "m=6,12"\nreplicates = "many"\n[fixed]\nd = 5\nr = 1\nk = 1\nt = 8\n',
            "replicates_date": b'x = "m=6,12"\nreplicates = 2020-01-01\n[fixed]\nd = 5\nr = 1\nk = 1\nt = 8\n',
            "solvers_number": b'x = "m=6,12"\nsolvers = 3\n[fixed]\nd = 5\nr = 1\nk = 1\nt = 8\n',
            "solvers_dict": b'x = "m=6,12"\n[solvers]\na = 1\n[fixed]\nd = 5\nr = 1\nk = 1\nt = 8\n',
            "seed_float": b'x = "m=6,12"\nseed = 0.5\n[fixed]\nd = 5\nr = 1\nk = 1\nt = 8\n',
            "family_number": b'family = 3\nx = "m=6,12"\n',
            "nonce_number": b'nonce = 3\nx = "m=6,12"\n[fixed]\nd = 5\nr = 1\nk = 1\nt = 8\n',
            "trace_word": b'trace = "yes"\nx = "m=6,12"\n[fixed]\nd = 5\nr = 1\nk = 1\nt = 8\n',
        },
        "lock": {
            **anything,
            "format": b'{"format": "x"}',
            "version": b'{"format": "lrs-toolkit constants", "version": 99}',
            "version_list": b'{"format": "lrs-toolkit constants", "version": [3]}',
            "solvers_list": b'{"format": "lrs-toolkit constants", "version": 3, "solvers": [1]}',
            "solvers_null": b'{"format": "lrs-toolkit constants", "version": 3, "solvers": null}',
            "entry_number": b'{"format": "lrs-toolkit constants", "version": 3, "solvers": {"amht": 3}}',
            "entry_empty": b'{"format": "lrs-toolkit constants", "version": 3, "solvers": {"amht": {}}}',
        },
        "budget": {
            **anything,
            "no_digest": b"{}",
            "digest_number": b'{"digest": 3, "spent": []}',
            "spent_word": b'{"digest": "x", "spent": "all"}',
            "spent_nan": b'{"digest": "x", "spent": [["a", NaN]], "epsilon": 1, "delta": 0.1}',
            "fields": b'{"digest": "x", "spent": [], "hue": 1}',
        },
        "trace": {
            **{n: v for n, v in anything.items() if n not in ("null", "number")},
            "header_only": b"error\n",
            "words": b"error\na\nb\nc\nd\n",
            "nan": b"error\n1\nnan\n.1\n.01\n",
            "infinite": b"error\ninf\n1\n.1\n.01\n",
            "negative": b"error\n1\n-1\n.1\n.01\n",
            "overflow": b"error\n1e400\n1\n.1\n.01\n",
            "constant": b"error\n1\n1\n1\n1\n1\n",
            "two_columns": b"a,b\n1,2\n3,4\n5,6\n7,8\n",
            "utf16": "error\n1\n.1\n".encode("utf-16"),
            "dates": b"error\n2020-01-01\n2020-01-02\n2020-01-03\n2020-01-04\n",
            "ragged": b"error\n1\n.1,2,3\n.01\n1,2\n",
        },
    }
    return list(_made(folder, TEXTS[kind], {f"{kind}_{n}": v for n, v in made[kind].items()}))
