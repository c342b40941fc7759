"""One language across verbs: the same thing has the same option everywhere, and the old words still work, with a hint."""

import inspect
import re

import pytest
import typer

from lrs import cli
from lrs.commands.shared import SIZES
from lrs.core import spelling
from lrs.core.errors import InvalidInput
from lrs.menu import whole


def verbs(command=None, path=()):
    """Every verb with its options: name → spellings."""
    command = whole(typer.main.get_command(cli.build_app())) if command is None else command
    if not hasattr(command, "commands") or path:
        yield " ".join(path), {p.name: p.opts for p in command.params if p.param_type_name == "option"}
    for name, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, (*path, name))


ALL = dict(verbs())


@pytest.mark.parametrize(
    ("option", "spellings"),
    [
        ("out", ["-o", "--out"]),
        ("jobs", ["-j", "--jobs"]),
        ("as_json", ["--json"]),
        *((word, list(SIZES[symbol])) for word, symbol in (("rank", "r"), ("sparsity", "k"))),
        *((symbol, list(spellings)) for symbol, spellings in SIZES.items()),
    ],
)
def test_a_thing_has_one_spelling(option, spellings):
    found = {verb: options[option] for verb, options in ALL.items() if option in options}
    assert len(found) > 1
    assert found == dict.fromkeys(found, spellings)


def test_a_spelling_means_one_thing():
    meant = {}
    for options in ALL.values():
        for name, spellings in options.items():
            for word in spellings:
                meant.setdefault(word, set()).add(name)
    several = {word: names for word, names in meant.items() if len(names) > 1}
    # Rank and sparsity are parameters of a problem and of a fit; a number of features, and which ones they are.
    assert several.keys() == {"-r", "--rank", "-k", "--sparsity", "--features"}


def test_no_verb_is_named_like_one_of_another_level():
    last = [path.split()[-1] for path in ALL]
    assert len(last) == len(set(last))
    options = {word.removeprefix("--") for options in ALL.values() for words in options.values() for word in words}
    assert options & set(last) == {"claims", "rate"}  # the claims that are listed, the rate that is certified


def test_old_words_are_gone_and_the_new_ones_there():
    for verb, words in spelling.OPTIONS.items():
        known = {word for spellings in ALL[verb].values() for word in spellings}
        for old, new in words.items():
            assert new in known, (verb, new)
            assert old not in known or (verb, old) == ("plan", "--delta"), (verb, old)


@pytest.mark.parametrize(
    ("old", "word"),
    [
        ("plan --d=30 --measure 0", "--replicates"),
        ("plan -d 30 -r 2 -k 2 -t 10 --rows 5 --delta 0.1", "--failure"),
        ("sweep verify nowhere --workers 0", "sweep reproduce"),
        ("generate --family matrix-sensing --side 6 --rank 1 --output {tmp}/a.npz", "--out"),
    ],
)
def test_an_old_word_works_and_says_so(old, word, capsys, tmp_path):
    code = cli.run(old.format(tmp=tmp_path).split())
    err = " ".join(capsys.readouterr().err.split())
    assert f"is now called {'lrs ' if ' ' in word else ''}{word}" in err
    assert "no such option" not in err.lower()
    assert code == (0 if old.startswith("generate") else 2)  # nothing is computed for the others


def test_old_arguments_work_in_python():
    @spelling.renamed(old="new")
    def function(new=1):
        return new

    with pytest.warns(DeprecationWarning, match="old is now called new"):
        assert function(old=3) == 3
    with pytest.raises(InvalidInput, match="leave old out"):
        function(old=3, new=4)
    assert function(new=5) == 5
    assert list(inspect.signature(function).parameters) == ["new"]


@pytest.mark.parametrize(
    "words", [["verify"], ["generate", "--family", "matrix-sensing"], ["sweep"], ["sweep", "export"]]
)
def test_help_is_for_people(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERMINAL_WIDTH", "100")
    assert cli.run([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--json" in text
    assert "bool" not in text.lower()
    assert not re.search(r"--\S+ .*<(list\[)?(str|int|float|text|integer)\b", text)
    assert "-h" in text.split("--help")[1].split("\n")[0]


def test_help_wraps_where_its_lines_end_and_not_where_the_source_does():
    def helps(command):
        yield command.help or ""
        for inner in getattr(command, "commands", {}).values():
            yield from helps(inner)

    found = list(helps(whole(typer.main.get_command(cli.build_app()))))
    assert sum("\n\n" in text for text in found) > 3
    assert not [text for text in found for part in text.split("\n\n") if "\n" in part]
