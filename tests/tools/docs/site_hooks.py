"""A hook of MkDocs: shows docs/notebook.ipynb as a page of the site. Needs nothing but the generator itself."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

NOTEBOOK, PAGE = "notebook.ipynb", "notebook.md"


def to_markdown(notebook: dict[str, Any]) -> str:
    """The cells in order: prose as it is, code in a block, and below it what the code printed."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += [_show(output) for output in cell.get("outputs", [])]
    return "\n\n".join(parts) + "\n"


def _show(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "text/markdown" in data:
        return "".join(data["text/markdown"])
    for kind in ("image/jpeg", "image/png"):
        if kind in data:
            return f'<img alt="what the cell above shows" src="data:{kind};base64,{"".join(data[kind]).strip()}">'
    # Wide lines scroll inside the block, so the keyboard must reach it.
    text = html.escape("".join(output.get("text") or data.get("text/plain", "")))
    return f'<pre class="output" tabindex="0">{text}</pre>'


def on_files(files: Any, config: Any) -> Any:
    """Adds the page."""
    from mkdocs.structure.files import File

    notebook = json.loads(Path(config["docs_dir"], NOTEBOOK).read_text("utf-8"))
    files.append(File.generated(config, PAGE, content=to_markdown(notebook)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links that open the notebook on a code host lead to its page here."""
    return markdown.replace(f"]({NOTEBOOK})", f"]({PAGE})")
