"""The page that all reports share: it stands alone, and a real browser sorts, filters and opens cells where there is one."""

import re
import shutil
import subprocess

import pytest

from lrs.core.page import filtered, fold, page

TABLE = (
    '<table class="sort" id="t"><thead><tr><th>name<th>size</thead><tbody>'
    + "".join(f"<tr><td>{name}</td><td>{size}</td></tr>" for name, size in (("bee", "10"), ("ant", "9"), ("cat", "−1")))
    + "</tbody></table>"
)
SVG = '<figure><svg viewBox="0 0 9 9"><g id="p0-cell-3"><path d="M0 0h9v9h-9z"/></g></svg></figure>'
BODY = f"<h1>Found</h1><h2>First &amp; last</h2>{filtered(TABLE, 't', 'filter')}<h2>Maps</h2>{SVG}{fold('more', '<p>inside</p>')}"
CELLS = {"p0-cell-3": ("m = 3: 2 of 5 recovered </script><b>", "lrs replay d 3 0 --solver a")}

#: Does what a reader does, and leaves what is seen in the title.
ACTIONS = """<script>
const seen=[],rows=()=>[...document.querySelectorAll('tbody tr')].filter(r=>!r.hidden).map(r=>r.cells[0].textContent).join()
const heads=document.querySelectorAll('th');heads[1].click();seen.push(rows());heads[1].click();seen.push(rows());heads[0].click();seen.push(rows())
const box=document.querySelector('input.filter');box.value='AN';box.dispatchEvent(new Event('input'));seen.push(rows())
const cell=document.getElementById('p0-cell-3'),panel=document.getElementById('cell');seen.push(panel.hidden)
cell.dispatchEvent(new MouseEvent('mouseenter'));seen.push(panel.textContent);cell.dispatchEvent(new MouseEvent('mouseleave'));seen.push(panel.hidden)
cell.dispatchEvent(new MouseEvent('click',{bubbles:true}));seen.push(panel.hidden);document.body.click();seen.push(panel.hidden)
const back=()=>getComputedStyle(document.body).backgroundColor,before=back();document.getElementById('theme').click();seen.push(before!=back())
document.title=seen.join('|')
</script></body>"""


def test_the_page_stands_alone():
    text = page("A <title>", BODY, CELLS)
    assert "<title>A &lt;title&gt;</title>" in text
    assert not re.search(r'(src|href)="?https?:', text)
    assert '<a href="#s1">First &amp; last</a><a href="#s2">Maps</a>' in text
    assert text.index("</h1>") < text.index("<nav") < text.index('id="s1"')
    assert "</script><b>" not in text  # what a cell says cannot end the script


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser here")
def test_in_a_browser(tmp_path):
    file = tmp_path / "page.html"
    file.write_text(page("x", BODY, CELLS).replace("</body>", ACTIONS), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    dom = subprocess.run(
        ["chromium", *flags, f"{file.as_uri()}#light"], capture_output=True, text=True, timeout=300
    ).stdout
    title = re.search("<title>(.*?)</title>", dom)[1]
    said = "m = 3: 2 of 5 recovered &lt;/script&gt;&lt;b&gt;lrs replay d 3 0 --solver a"
    assert title == f"cat,ant,bee|bee,ant,cat|ant,bee,cat|ant|true|{said}|true|false|true|true"
