"""Fails for every public declaration without documentation. usage: check-documentation.py DIRECTORY-OF-SYMBOL-GRAPHS"""

import json
import pathlib
import sys

# Says what it is by itself: what a protocol of the standard library requires.
REQUIRED = {"description", "==(_:_:)", "hash(into:)"}


def undocumented(graph):
    for symbol in graph["symbols"]:
        if "docComment" not in symbol and symbol["pathComponents"][-1] not in REQUIRED:
            yield ".".join([graph["module"]["name"], *symbol["pathComponents"]])


missing = sorted({name for path in pathlib.Path(sys.argv[1]).glob("*.json") for name in undocumented(json.loads(path.read_text()))})
for name in missing:
    print(f"check-documentation.py: {name} is public and has no documentation", file=sys.stderr)
sys.exit(1 if missing else 0)
