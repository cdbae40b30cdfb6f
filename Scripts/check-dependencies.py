#!/usr/bin/env python3
"""Fails where a target of Package.swift declares a dependency that none of its files imports; the opposite is an error of the build (test.sh).
Programs that a test starts are not imported. usage: swift package describe --type json | check-dependencies.py"""
import json
import re
import sys
from pathlib import Path

targets = {target["name"]: target for target in json.load(sys.stdin)["targets"]}
unused = []
for name, target in targets.items():
    text = "\n".join(file.read_text() for file in Path(target["path"]).rglob("*") if file.suffix in (".swift", ".c", ".h"))
    imported = set(re.findall(r"^(?:@\w+ )?(?:public )?import (\w+)", text, re.MULTILINE)) | set(re.findall(r'^#include "(\w+\.h)"', text, re.MULTILINE))
    for other in target.get("target_dependencies", []) + target.get("product_dependencies", []):
        headers = {file.name for file in Path(targets[other]["path"], "include").glob("*.h")} if other in targets else set()
        is_started = target["type"] == "test" and other in targets and targets[other]["type"] == "executable"
        if not is_started and not imported & ({other} | headers):
            unused.append(f"{name} does not import {other}")
if unused:
    sys.exit("Package.swift: " + "; ".join(unused))
