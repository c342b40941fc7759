"""What all reports share: one self-contained page, light and dark, with contents, folds, filters, sorting and cells to tap.

Nothing is loaded from elsewhere. Without the few lines of script the page reads the same; only sorting, filters and the
panel of a cell need them.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

_LIGHT = "--ink:#1b1f24;--dim:#57606a;--line:#d8dee4;--back:#fff;--card:#f6f8fa;--good:#0a6b4f;--bad:#b3261e;--open:#8a5a00;--blue:#0b5cad"
_DARK = "--ink:#e6edf3;--dim:#9aa5b1;--line:#343b44;--back:#0f1419;--card:#171d24;--good:#4cc38a;--bad:#ff7b72;--open:#e3b341;--blue:#6cb6ff"
#: Colour of lines and words in pictures that lie on either background.
GREY = "#737d88"
#: Settings of matplotlib for such pictures.
ON_EITHER: dict[Any, Any] = {
    "svg.fonttype": "none",
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), GREY),
}

_STYLE = (
    """
:root{color-scheme:light;LIGHT}:root[data-theme=dark]{color-scheme:dark;DARK}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;DARK}}
*{box-sizing:border-box}html{scroll-padding-top:1rem}
body{margin:0 auto;max-width:70rem;padding:1rem 1rem 4rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back)}
a{color:var(--blue)}h1,h2,li,p{overflow-wrap:anywhere}h1{font-size:1.45rem;line-height:1.3;margin:.6rem 3rem 1rem 0}
h2{font-size:1.15rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}
h3{font-size:1rem;margin:1.4rem 0 .4rem}p{margin:.4rem 0}code,pre{font:13px/1.45 ui-monospace,Menlo,Consolas,monospace}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all}
nav{margin-bottom:1rem;display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.92rem;padding:.5rem .8rem;background:var(--card);border:1px solid var(--line);border-radius:6px}
#theme{position:absolute;top:1rem;right:1rem;font:inherit;line-height:1;padding:.35rem .5rem;color:var(--dim);background:none;border:1px solid var(--line);border-radius:6px;cursor:pointer}
@media (min-width:71rem){body{position:relative}}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.45rem .9rem .45rem 0;border-bottom:1px solid var(--line)}th{color:var(--dim);font-weight:600}
th[aria-sort]{cursor:pointer;white-space:nowrap}th[aria-sort=ascending]::after{content:" ▲"}th[aria-sort=descending]::after{content:" ▼"}
.plain{width:auto}.plain td,.plain th{white-space:nowrap}
.n{white-space:nowrap}.dim{color:var(--dim)}.scroll{overflow-x:auto}
input.filter{font:inherit;color:inherit;background:var(--back);border:1px solid var(--line);border-radius:6px;padding:.3rem .6rem;width:min(100%,22rem);margin:.3rem 0}
details{border:1px solid var(--line);border-radius:6px;padding:.3rem .8rem;margin:.6rem 0}summary{cursor:pointer;font-weight:600}
.v{font-weight:700;font-size:.8rem;letter-spacing:.02em;white-space:nowrap}.CONFIRMED{color:var(--good)}.REFUTED{color:var(--bad)}.INCONCLUSIVE{color:var(--open)}
.NOT_APPLICABLE,.BLOCKED,.OUT_OF_SCOPE,.NOT_EXAMINED{color:var(--dim)}
.card,.alarm{border:1px solid var(--line);border-left:4px solid var(--bad);border-radius:6px;padding:.2rem 1rem .8rem;margin:1rem 0}
.bar{display:block;width:7rem;height:.45rem;border-radius:3px;background:var(--line);margin:.35rem 0 .1rem;overflow:hidden}.bar i{display:block;height:100%;background:var(--blue)}
.bar.REFUTED i{background:var(--bad)}.bar.CONFIRMED i{background:var(--good)}
.row{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,24rem),1fr));gap:1rem;align-items:start}
figure{margin:.4rem 0;max-width:38rem;overflow-x:auto}figure svg{width:100%;min-width:31rem;height:auto;display:block}figcaption{font-size:.85rem;color:var(--dim)}
figure text[style*="GREY"]{fill:var(--dim)!important}figure path[style*="stroke: GREY"],figure use[style*="stroke: GREY"]{stroke:var(--dim)!important}
g[id^=legend] path[style*="stroke: #000000"]{stroke:var(--ink)!important}
[data-cell]{cursor:pointer}[data-cell]:hover path,[data-cell].on path{opacity:1!important;fill:none!important;stroke:#d55e00!important;stroke-width:2.5!important}
#cell{position:fixed;left:50%;bottom:.6rem;transform:translateX(-50%);width:min(46rem,calc(100% - 1.2rem));padding:.5rem .9rem;background:var(--card);border:1px solid var(--blue);border-radius:8px;box-shadow:0 4px 20px #0005;font-size:.92rem}
#cell pre{margin:.3rem 0 0;background:var(--back)}#cell[hidden]{display:none}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.4rem 0;font-size:.92rem}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
.matrix{width:auto}.matrix td,.matrix th{padding:.25rem .5rem;white-space:nowrap}
@media (max-width:640px){.claims thead{display:none}.claims tr{display:block;border-bottom:1px solid var(--line);padding:.5rem 0}.claims td{display:block;border:0;padding:.1rem 0;white-space:normal}
dl{grid-template-columns:1fr}dt{margin-top:.4rem}}
@media print{#theme,#cell,input.filter{display:none}}
""".replace("LIGHT", _LIGHT)
    .replace("DARK", _DARK)
    .replace("GREY", GREY)
)

_SCRIPT = """
const root=document.documentElement,$=(s,e=document)=>[...e.querySelectorAll(s)]
if(location.hash=='#dark'||location.hash=='#light')root.dataset.theme=location.hash.slice(1)
document.getElementById('theme').onclick=()=>{const dark=getComputedStyle(root).colorScheme=='dark';root.dataset.theme=dark?'light':'dark'}
const value=(row,i)=>{const c=row.cells[i],t=c?(c.dataset.sort??c.textContent).trim():'',n=parseFloat(t.replace('−','-'));return[isNaN(n)?Infinity:n,t]}
for(const table of $('table.sort'))$('thead th',table).forEach((th,i)=>{th.setAttribute('aria-sort','none');th.tabIndex=0
 const sort=()=>{const up=th.getAttribute('aria-sort')!='ascending';$('th',table).forEach(o=>o.setAttribute('aria-sort','none'));th.setAttribute('aria-sort',up?'ascending':'descending')
  const body=table.tBodies[0],rows=[...body.rows].sort((a,b)=>{const x=value(a,i),y=value(b,i);return(x[0]-y[0]||x[1].localeCompare(y[1],undefined,{numeric:true}))*(up?1:-1)});body.append(...rows)}
 th.onclick=sort;th.onkeydown=e=>{if(e.key=='Enter')sort()}})
for(const box of $('input.filter'))box.oninput=()=>{const words=box.value.toLowerCase().split(/\\s+/)
 for(const row of $('tbody tr',document.getElementById(box.dataset.table)))row.hidden=!words.every(w=>row.textContent.toLowerCase().includes(w))}
const data=JSON.parse(document.getElementById('cells').textContent),panel=document.getElementById('cell')
let held=null
for(const [id,[head,line]] of Object.entries(data)){const g=document.getElementById(id);if(!g)continue
 g.dataset.cell=id;g.setAttribute('role','button');g.setAttribute('aria-label',head)
 const show=()=>{panel.hidden=false;panel.replaceChildren(Object.assign(document.createElement('div'),{textContent:head}));if(line)panel.append(Object.assign(document.createElement('pre'),{textContent:line}))}
 g.onmouseenter=()=>{if(!held)show()};g.onmouseleave=()=>{if(!held)panel.hidden=true}
 g.onclick=e=>{e.stopPropagation();if(held)held.classList.remove('on');if(held==g){held=null;panel.hidden=true}else{held=g;g.classList.add('on');show()}}}
document.onclick=e=>{if(held&&!panel.contains(e.target)){held.classList.remove('on');held=null;panel.hidden=true}}
"""


def text(value: Any) -> str:
    """A value as text of the page."""
    return html.escape(str(value))


def filtered(table: str, name: str, what: str) -> str:
    """A table of that id with a box above it that hides the rows without the words typed."""
    return f'<input class="filter" data-table="{name}" type="search" placeholder="{text(what)}" aria-label="{text(what)}"/>{table}'


def fold(title: str, body: str) -> str:
    """Something that is opened when it is wanted."""
    return f"<details><summary>{text(title)}</summary>{body}</details>" if body else ""


def page(title: str, body: str, cells: Mapping[str, tuple[str, str]] | None = None) -> str:
    """The whole page.

    Parameters
    ----------
    title : str
    body : str
        HTML; the contents are made of its headings ``<h2>``.
    cells : mapping, optional
        Elements of pictures, by their id: what is said of one where it is pointed at or tapped, and a command or nothing.
    """
    entries: list[tuple[str, str]] = []

    def named(match: re.Match[str]) -> str:
        entries.append((f"s{len(entries) + 1}", re.sub("<[^>]*>", "", match[1])))
        return f'<h2 id="{entries[-1][0]}">{match[1]}</h2>'

    body = re.sub(r"<h2>(.*?)</h2>", named, body)
    links = "".join(f'<a href="#{name}">{words}</a>' for name, words in entries)
    # The first heading says what was found; the contents follow it.
    head, end, rest = body.partition("</h1>")
    data = json.dumps(dict(cells or {}), ensure_ascii=False).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<button id="theme" aria-label="light or dark">◐</button>{head}{end}<nav aria-label="contents">{links}</nav>\n{rest}\n'
        f'<div id="cell" hidden></div><script type="application/json" id="cells">{data}</script><script>(()=>{{{_SCRIPT}}})()</script>\n'
        "</body>\n</html>\n"
    )
