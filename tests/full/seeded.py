"""Seeded bugs: each is a patch that is applied to a copy of the tree, and has to be caught by the tests that it names."""

import os
import subprocess
import tarfile
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from full.part import KEPT, ROOT, Failed, Found

PATCHES = Path(__file__).with_suffix("")
# The copy, and what is built of it. They are kept, so that the next time little has to be built.
COPY = KEPT / "seeded"


@dataclass
class Bug:
    """A patch, and who catches it."""

    name: str
    what: str
    # Each a file of tests, or `lib` for those within the library, and perhaps a part of a fact's name.
    caught_by: list

    @classmethod
    def read(cls, file):
        """Reads the head of a patch."""
        head = dict(what="", caught_by=[])
        for line in file.read_text(encoding="utf-8").split("\n--- ", 1)[0].splitlines():
            key, _, value = line.partition(": ")
            if key == "What":
                head["what"] = value
            elif key == "Caught-by":
                head["caught_by"].append(value)
        if not head["what"] or not head["caught_by"]:
            raise Failed(f"{file} says no `What:`, or names nobody after `Caught-by:`")
        return cls(file.stem, **head)


def seeded(rounds, minutes, seed):
    """Has each bug caught. The rounds are the bugs; chance has no part in it."""
    del minutes, seed
    began = time.monotonic()
    bugs = [Bug.read(file) for file in sorted(PATCHES.glob("*.patch"))][:rounds]
    tree = copied(COPY / "tree")
    catchers = {catcher for bug in bugs for catcher in bug.caught_by}
    for catcher in sorted(catchers):
        if not holds(tree, catcher):
            raise Failed(f"`{catcher}` fails without any seeded bug")
    missed = []
    for bug in bugs:
        patch(tree, bug.name)
        try:
            missed += [f"`{bug.name}` by `{catcher}`" for catcher in bug.caught_by if holds(tree, catcher)]
        finally:
            patch(tree, bug.name, "--reverse")
    if missed:
        raise Failed(f"not caught: {', '.join(missed)}")
    figures = {"bugs seeded": len(bugs), "caught": len(bugs)}
    return Found(len(bugs), rounds, time.monotonic() - began, "none", figures)


def copied(tree):
    """The tree as it is committed, in that folder."""
    packed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["rm", "--recursive", "--force", tree], check=True)
    tree.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(tree)
    return tree


def patch(tree, name, direction="--forward"):
    """Applies a bug, or takes it back."""
    words = ["patch", "--strip=1", "--batch", "--quiet", direction, "--input", PATCHES / f"{name}.patch"]
    done = subprocess.run(words, cwd=tree, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"`{name}` does not fit the tree any more: make its patch anew\n{done.stdout}{done.stderr}")


def holds(tree, catcher):
    """Whether the tests pass. What cannot be built says nothing about them."""
    file, _, fact = catcher.partition(" ")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(COPY / "target")}
    words = ["cargo", "test", "--quiet", *(["--lib"] if file == "lib" else ["--test", file])]
    built = subprocess.run([*words, "--no-run"], cwd=tree, env=environment, capture_output=True, text=True)
    if built.returncode != 0:
        raise Failed(f"it cannot be built:\n{built.stderr[-4000:]}")
    done = subprocess.run([*words, "--", *filter(None, [fact])], cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode == 0 and " 0 passed" in done.stdout:
        raise Failed(f"`{catcher}` names no test")
    return done.returncode == 0
