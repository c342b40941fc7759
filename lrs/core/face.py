"""What a notebook shows of a result: a heading and a small table, in the colours of the notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any


def face(title: str, rows: Iterable[Sequence[Any]], head: Sequence[str] = (), note: str = "") -> str:
    """A heading, a table of a few rows and a note as HTML."""

    def cells(row: Sequence[Any], tag: str) -> str:
        return "".join(f'<{tag} style="text-align:left">{html.escape(str(cell))}</{tag}>' for cell in row)

    top = f"<thead><tr>{cells(head, 'th')}</tr></thead>" if head else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    below = f"<div>{html.escape(note)}</div>" if note else ""
    return f"<div><strong>{html.escape(title)}</strong><table>{top}<tbody>{body}</tbody></table>{below}</div>"
