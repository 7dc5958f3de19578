"""Write docs/api.md from the docstrings of what `hpsearch` makes public: `make docs`.

Signatures are taken from the sources as they stand there, since versions of Python print them
differently.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import hpsearch

PAGE: Final = Path(__file__).with_name("api.md")
WIDTH: Final = 100

TITLE: Final = """\
# hpsearch in Python

<!-- Written by `make docs` from the docstrings: change those. -->"""

WORDS: Mapping[str, str] = {
    r"(?<=\()(\s*)(?:self|cls)(?:, )?": r"\1",
    r'(?<=[:>] )"(\w+)"': r"\1",
    r"\bpd\.": "pandas.",
    r"\bFloats\b": "NDArray[floating]",
    r"\bLabel\b": "str | int | float | bool",
}
"""What becomes of a signature for a reader who does not see the imports."""


def page() -> str:
    """Return the text of docs/api.md."""
    docs = {name: inspect.getdoc(getattr(hpsearch, name)) or "" for name in hpsearch.__all__}
    contents = {f"`{name}`": text.partition("\n")[0] for name, text in docs.items()}
    entries = [part for name in hpsearch.__all__ for part in entry(name)]
    start = [TITLE, *prose(inspect.getdoc(hpsearch) or ""), bullets(contents)]
    return linked("\n\n".join([*start, *entries])) + "\n"


def entry(name: str) -> Iterator[str]:
    """Yield what is told of a public name: heading, signature, docstring, methods."""
    source = inspect.getsource(getattr(hpsearch, name))
    node = ast.parse(source).body[0]
    yield f"## {name}"
    if isinstance(node, ast.FunctionDef):
        yield code(f"hpsearch.{signature(node, source)}")
        yield from described(node)
    elif isinstance(node, ast.ClassDef):
        bases = ", ".join(map(ast.unparse, node.bases))
        yield code(f"class hpsearch.{name}" + (f"({bases})" if bases else ""))
        yield from described_class(node, source)
        for method in methods(node, properties=False):
            yield f"### {name}.{method.name}"
            yield code(f"{name}.{signature(method, source)}".replace("-> Self", f"-> {name}"))
            yield from described(method)


def methods(node: ast.ClassDef, *, properties: bool) -> list[ast.FunctionDef]:
    """Return a class's public properties, or its other public methods."""
    return [
        child
        for child in node.body
        if isinstance(child, ast.FunctionDef)
        and not child.name.startswith("_")
        and properties == any("property" in ast.unparse(mark) for mark in child.decorator_list)
    ]


def signature(node: ast.FunctionDef, source: str) -> str:
    """Return a function's name, parameters and result."""
    lines = source.splitlines()[node.lineno - 1 : node.body[0].lineno - 1]
    return plain(textwrap.dedent("\n".join(lines)).removeprefix("def ").removesuffix(":"))


def plain(text: str) -> str:
    """Return a piece of a signature in a reader's `WORDS`."""
    for pattern, word in WORDS.items():
        text = re.sub(pattern, word, text)
    return text


def described(node: ast.FunctionDef) -> Iterator[str]:
    """Yield a function's docstring as Markdown."""
    text, sections = parsed(node)
    yield from prose(text)
    for title, items in sections.items():
        rows = {f"`{name.replace(', ', '`, `')}`": words for name, words in items.items()}
        yield f"**{title}**\n\n{bullets(rows)}"


def described_class(node: ast.ClassDef, source: str) -> Iterator[str]:
    """Yield a class's docstring as Markdown, with all attributes in place of its parameters."""
    text, sections = parsed(node)
    items = sections.get("Parameters", {})
    items |= {child.name: parsed(child)[0] for child in methods(node, properties=True)}
    rows = {f"`{name}: {kind}`": items[name] for name, kind in attributes(node, source).items()}
    yield from prose(text)
    if rows:
        yield f"**Attributes**\n\n{bullets(rows)}"


def attributes(node: ast.ClassDef, source: str) -> dict[str, str]:
    """Return a class's public attributes and their types.

    These are the fields of a dataclass, the parameters of an error (which keeps them), and the
    properties.
    """
    kinds: dict[str, ast.expr | None] = {}
    for child in node.body:
        if isinstance(child, ast.AnnAssign):
            kinds[ast.unparse(child.target)] = child.annotation
        elif isinstance(child, ast.FunctionDef) and child.name == "__init__":
            kinds |= {argument.arg: argument.annotation for argument in child.args.args[1:]}
    kinds |= {child.name: child.returns for child in methods(node, properties=True)}
    return {
        name: plain(ast.get_source_segment(source, kind) or "")
        for name, kind in kinds.items()
        if kind is not None and not name.startswith("_")
    }


def parsed(node: ast.FunctionDef | ast.ClassDef) -> tuple[str, dict[str, dict[str, str]]]:
    """Return a docstring's prose, and its sections as items and what is said of each."""
    doc = ast.get_docstring(node) or ""
    text, *rest = re.split(r"^(\w+)\n-+\n", doc, flags=re.MULTILINE)
    sections = {}
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        items = [item.partition("\n") for item in re.split(r"^(?=\S)", body, flags=re.MULTILINE)]
        sections[title] = {name: " ".join(words.split()) for name, _, words in items if name}
    return text, sections


def prose(text: str) -> Iterator[str]:
    """Yield paragraphs as Markdown; what is indented below one is Python code."""
    for block in re.split(r"\n\n(?=\S)", text.strip()):
        paragraph, _, example = block.partition("\n\n")
        yield filled(quoted(paragraph))
        if example:
            yield code(textwrap.dedent(example))


def bullets(items: Mapping[str, str]) -> str:
    """Return a list of names and what is said of each."""
    return "\n".join(filled(f"{name}: {quoted(text)}", "- ") for name, text in items.items())


def quoted(text: str) -> str:
    """Return text with Markdown's quotes in place of reStructuredText's."""
    return re.sub(r"::$", ":", text.replace("``", "`"))


def filled(text: str, bullet: str = "") -> str:
    """Return a paragraph in lines of the page's width."""
    lines = textwrap.wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return bullet + f"\n{' ' * len(bullet)}".join(lines)


def code(text: str) -> str:
    """Return a block of Python code."""
    return f"```python\n{text}\n```"


def linked(text: str) -> str:
    """Return the page with links to what has a heading on it, and to other documents."""
    headings = re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    told = "".join(linked_section(section, headings) for section in sections)
    anchors = [f"[`{name}`]: #{name.lower().replace('.', '')}" for name in headings]
    return "\n".join([told, "", *anchors])


def linked_section(text: str, headings: list[str]) -> str:
    """Return the section of a class or function with links; a class's methods go by their name."""
    owner = text.partition("\n")[0].removeprefix("## ")

    def link(match: re.Match[str]) -> str:
        own = f"{owner}.{match[1]}"
        target = own if own in headings else match[1].removeprefix("hpsearch.")
        if target not in headings:
            return match[0]
        return f"[{match[0]}]" if target == match[1] else f"[{match[0]}][`{target}`]"

    text = re.sub(r"(?<!`)`([\w.]+)`(?!`)", link, text)
    return re.sub(r"`docs/(\w+\.md)`", r"[docs/\1](\1)", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
