"""Seeded bugs: each is a patch that is applied to a copy of the tree, and has to be caught by the tests that it names.

A patch begins with a line `What:` and with one or more of `Caught-by: TEST FACT: "what it says"`. That it still fits the tree is
a test of `cargo test` (tests/seeded.rs).
"""

import os
import re
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


@dataclass(frozen=True, order=True)
class Catcher:
    """A fact that has to fail, and by what: anything else that fails there is no proof."""

    # A file of tests, or `lib` for those within the library.
    file: str
    # How the fact's name begins, or a part of it.
    fact: str
    # A part of what it says then.
    says: str

    @classmethod
    def read(cls, file, value):
        """Reads what follows `Caught-by:`."""
        found = re.fullmatch(r'(\w+) ([\w:]+): "(.+)"', value)
        if not found:
            raise Failed(f'{file}: `{value}` is not `TEST FACT: "what it says"`')
        return cls(*found.groups())

    def __str__(self):
        return f"{self.file} {self.fact}"


@dataclass
class Bug:
    """A patch, and who catches it."""

    name: str
    what: str
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
                head["caught_by"].append(Catcher.read(file, value))
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
        passes, said = run(tree, catcher)
        if not passes:
            raise Failed(f"`{catcher}` fails without any seeded bug:\n{said[-4000:]}")
    missed = []
    for bug in bugs:
        patch(tree, bug.name)
        try:
            missed += [f"`{bug.name}` by `{catcher}`{why}" for catcher in bug.caught_by if (why := misses(tree, catcher))]
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
    # Their times are the commit's: older than what was built, the last time, of a bug.
    for file in tree.rglob("*.rs"):
        file.touch()
    return tree


def patch(tree, name, direction="--forward"):
    """Applies a bug, or takes it back."""
    words = ["patch", "--strip=1", "--batch", "--fuzz=0", "--quiet", direction, "--input", PATCHES / f"{name}.patch"]
    done = subprocess.run(words, cwd=tree, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"`{name}` does not fit the tree any more: make its patch anew\n{done.stdout}{done.stderr}")


def misses(tree, catcher):
    """Why it does not catch what was seeded; nothing where it does."""
    passes, said = run(tree, catcher)
    if passes:
        return ", which passes"
    return "" if catcher.says in said else f", which fails otherwise than by `{catcher.says}`:\n{said[-4000:]}\n"


def run(tree, catcher):
    """Whether the fact holds, and all that was said. What cannot be built says nothing about it."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(COPY / "target")}
    words = ["cargo", "test", "--quiet", *(["--lib"] if catcher.file == "lib" else ["--test", catcher.file])]
    built = subprocess.run([*words, "--no-run"], cwd=tree, env=environment, capture_output=True, text=True)
    if built.returncode != 0:
        raise Failed(f"it cannot be built:\n{built.stderr[-4000:]}")
    done = subprocess.run([*words, "--", catcher.fact], cwd=tree, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode == 0 and " 0 passed" in done.stdout:
        raise Failed(f"`{catcher}` names no test, or none that can be run here")
    return done.returncode == 0, done.stdout + done.stderr
