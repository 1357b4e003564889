"""The shell of every page that Voxfield writes: one file that loads nothing, for light, dark and phones."""

import base64
import hashlib
from html import escape

STYLE = """
:root{color-scheme:light dark;--ink:#1b2530;--soft:#566373;--line:#d8dfe6;--paper:#fff;--panel:#f4f6f9;--accent:#0a62a8}
@media(prefers-color-scheme:dark){:root{
--ink:#e3e8ee;--soft:#9ba8b6;--line:#35404c;--paper:#12171d;--panel:#1b222b;--accent:#6db3f0}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;max-width:1040px;margin:0 auto;padding:1.5rem 1rem 3rem;
color:var(--ink);background:var(--paper);overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:1.5rem 0 .2rem}small,.soft{color:var(--soft)}small{font-size:.85rem}
table{border-collapse:collapse;font-size:.9rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:normal;color:var(--soft);overflow-wrap:normal}th:first-child,td:first-child{padding-left:0}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.wide{overflow-x:auto;overflow-wrap:normal}pre{background:var(--panel);padding:1em;overflow-x:auto}
@media(max-width:520px){h1{font-size:1.2rem}}
"""


def html_page(title: str, body: str, *, style: str = "", script: str = "", language: str = "en") -> str:
    """A whole page as text. Its policy lets nothing be loaded, and no style or script run but the ones given here.

    Args:
        title: plain text, shown by the browser; it is escaped here.
        body: markup, in which everything foreign is escaped already; without `style` attributes and scripts, which the
            policy refuses. Pictures and sound are `data_url`s.
        style: rules that follow those of the shell.
        script: what runs at the end of the body.
        language: code of the language that the page is written in.
    """
    style = STYLE + style
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src '{_digest(style)}'; "
        + (f"script-src '{_digest(script)}'; " if script else "")
        + "base-uri 'none'; form-action 'none'"
    )
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>\n{body}\n"
        + (f"<script>{script}</script>" if script else "")
        + "</body></html>\n"
    )


def data_url(kind: str, content: bytes) -> str:
    """An address that is its own content.

    >>> data_url("text/plain", b"hello")
    'data:text/plain;base64,aGVsbG8='
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
