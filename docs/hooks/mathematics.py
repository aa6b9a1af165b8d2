"""Formulas become MathML when the site is built: readers need no script, and a wrong formula ends the build.

`$$` lines that follow each other are the rows of one display; `\\tag{5, 6}` numbers its row; a row breaks at `\\qquad`.
"""

import html
import re
from typing import Any

from math_core import LatexError, LatexToMathML
from mkdocs.exceptions import PluginError

_CONVERTER = LatexToMathML(fancy_error=False)
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.S)
_DISPLAY = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.S)
_BETWEEN_ROWS = re.compile(r"\$\$\s*\$\$")
_TAG = re.compile(r"\\tag\{([^{}]*)\}")


def on_page_content(content: str, *, page: Any, **_: Any) -> str:
    """Runs once for each page."""
    try:
        content = _DISPLAY.sub(lambda found: _display(html.unescape(found[1])), content)
        return _INLINE.sub(lambda found: _formula(html.unescape(found[1])), content)
    except LatexError as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from error


def _display(rows: str) -> str:
    return '<div class="display">' + "".join(_row(row) for row in _BETWEEN_ROWS.split(rows)) + "</div>"


def _row(row: str) -> str:
    numbers = "".join(f'<span class="number">({number})</span>' for number in _TAG.findall(row))
    parts = _TAG.sub("", row).split(r"\qquad")
    formulas = "".join(_formula(part, display=True) for part in parts)
    return f'<div class="row"><div class="formula" tabindex="0">{formulas}</div>{numbers}</div>'


def _formula(latex: str, display: bool = False) -> str:
    try:
        made = _CONVERTER.convert_with_local_state(latex.strip(), displaystyle=display)
    except LatexError as error:
        raise LatexError(f"{error} in the formula {latex.strip()}") from error
    return made.replace('display="block"', 'displaystyle="true"', 1)
