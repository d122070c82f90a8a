"""Site hook: links to files outside docs/ become plain names, since the site does not hold them."""

import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"\[([^\]]*)\]\(([^)#:\s]+)\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Keep the text of each link whose target lies outside the documentation folder."""
    folder = Path(page.file.abs_src_path).parent
    root = Path(config["docs_dir"]).resolve()

    def plain(match: re.Match) -> str:
        target = (folder / match[2]).resolve()
        return match[0] if target.is_relative_to(root) and target.is_file() else match[1]

    return LINK.sub(plain, markdown)
