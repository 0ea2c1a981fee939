"""A failed compilation as a reader of the cell needs it: cargo's JSON lines from stdin to stdout.

- Notes stand behind the message that they belong to. evcxr shows only those that have a place in the
  cell, and so drops what a library says of its own traits.
- Warnings go: evcxr would show those of earlier cells too, and as errors.

Usage: compiler_messages.py (from the `cargo` that set-up writes)
"""

import json
import sys

OF_THE_COMPILER = (
    "required ",
    "the full name ",
    "the full type ",
    "consider using `--verbose`",
    "`#[",
    "this error originates ",
    "expected ",
    "no two ",
    "multiple ",
    "all local variables ",
    "if you're trying ",
    "duplicates ",
)
"""How notes begin that say little to a reader. What a library says begins with its own names."""


def improve(line: str) -> str | None:
    """The line as it goes on, or None."""
    try:
        outer = json.loads(line)
        message = outer["message"]
        level, children = message["level"], message["children"]
    except (ValueError, KeyError, TypeError):
        return line
    if level == "warning":
        return None
    notes = [child["message"] for child in children if child["level"] == "note" and not child["spans"]]
    notes = [note for note in notes if not note.startswith(OF_THE_COMPILER)]
    if notes:
        message["message"] = "\n".join([message["message"], *notes])
    return json.dumps(outer) + "\n"


def main() -> None:
    for line in sys.stdin:
        if (better := improve(line)) is not None:
            sys.stdout.write(better)


if __name__ == "__main__":
    main()
