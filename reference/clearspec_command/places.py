"""Where in a TOML text the place of a fault stands."""

from __future__ import annotations

import re

HEADER = re.compile(r"^[ \t]*\[\[?[ \t]*([A-Za-z][A-Za-z0-9_.-]*)[ \t]*\]", re.MULTILINE)
PART = re.compile(r"\.([A-Za-z0-9_-]+)|\[([0-9]+)\]")


def line_of(text: str, path: str) -> int:
    """Line of the header or key that lies deepest on a path such as ``$.steps[9].action``; 0 if none is found.

    Inside an inline table or list it is the line on which that begins.
    """
    parts = [name or int(number) for name, number in PART.findall(path)]
    name, found, start, end = "", -1, 0, len(text)
    while parts:
        name = f"{name}.{parts[0]}".lstrip(".")
        listed = len(parts) > 1 and isinstance(parts[1], int)
        heads = [head.start() for head in HEADER.finditer(text, start, end) if head[1] == name]
        number = int(parts[1]) if listed else 0
        if number >= len(heads):
            found = max(found, _key(text, str(parts[0]), start, end))
            break
        found, start, end = heads[number], heads[number], _end(text, name, heads[number], end)
        parts = parts[1 + listed :]
    return text.count("\n", 0, found) + 1 if found >= 0 else 0


def _end(text: str, name: str, start: int, end: int) -> int:
    """Where a table ends that begins at ``start``: at the next header that does not belong to it."""
    later = (head for head in HEADER.finditer(text, start, end) if head.start() > start)
    return next((head.start() for head in later if not head[1].startswith(f"{name}.")), end)


def _key(text: str, key: str, start: int, end: int) -> int:
    """Where a key of the table that begins at ``start`` stands; -1 if it has none of that name."""
    heads = (head.start() for head in HEADER.finditer(text, start, end) if head.start() > start)
    found = re.compile(rf"^[ \t]*({re.escape(key)})[ \t]*=", re.MULTILINE).search(text, start, next(heads, end))
    return found.start(1) if found else -1
