"""Keeps code out of the index of the search that every page loads: headings and sentences find the same.

Pages of models and blocks leave their arguments out, too: most say the same as those of their frame or their like.
"""

import re
from typing import Any

_CODE = re.compile(r'<(div|details) (class="(?:doc-signature|mkdocstrings-source|highlight))')
_OPTION = re.compile(r'<(li) (class="doc-section-item)')


def on_page_content(content: str, *, page: Any, **_: Any) -> str:
    """Runs once for each page."""
    content = _CODE.sub(r"<\1 data-search-exclude \2", content)
    return (
        _OPTION.sub(r"<\1 data-search-exclude \2", content)
        if page.file.src_uri.startswith(("models/", "blocks/"))
        else content
    )
