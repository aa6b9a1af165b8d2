"""Keeps code out of the index of the search that every page loads: headings and sentences find the same."""

import re
from typing import Any

_CODE = re.compile(r'<(div|details) (class="(?:doc-signature|mkdocstrings-source|highlight))')


def on_page_content(content: str, **_: Any) -> str:
    """Runs once for each page."""
    return _CODE.sub(r"<\1 data-search-exclude \2", content)
