"""One part of the programme: what it does, how often, and what it found."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# What parts build for themselves.
KEPT = TARGET / "full"
# What parts found, committed with the table that is made of it.
FOUND = Path(__file__).resolve().parent / "found"
# What the program and its tests are made of, but for what was found.
MADE_OF = ("src", "migrations", "tests", "fuzz", "Cargo.toml", "Cargo.lock", ".cargo", ":!tests/full/found")


class Failed(Exception):
    """Something did not hold, or could not be tried; the text says what."""


@dataclass
class Found:
    """What the rounds of a part came to."""

    rounds: int
    asked: int
    seconds: float
    seeds: str
    figures: dict = field(default_factory=dict)
    # How many times the rounds were asked for: of each fact of a part, and for each database that it is held against.
    times: int = 1
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))
    commit: str = field(default_factory=lambda: commit())

    def text(self):
        """The figures as one line."""
        return ", ".join(f"{number:,} {what}" for what, number in self.figures.items())

    def rounds_of(self, own):
        """How many rounds there were, and how many there are to be where fewer were, by the part's own number."""
        whole = max(self.asked, own * self.times)
        return f"{self.rounds:,}" if self.rounds >= whole else f"{self.rounds:,} of {whole:,}"

    def keep(self, name):
        """Keeps it for the table."""
        FOUND.mkdir(exist_ok=True)
        (FOUND / f"{name}.json").write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def kept(cls, name):
        """What was found last, if anything was."""
        file = FOUND / f"{name}.json"
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


@dataclass
class Tests:
    """A part that is a test of `cargo test`, with more rounds."""

    what: str
    rounds: int
    # The file of tests, and the names of the facts, or how they begin.
    file: str
    facts: tuple

    def run(self, name, rounds, minutes, seed):
        """Runs the facts, and adds up what they counted."""
        began = time.monotonic()
        with tempfile.NamedTemporaryFile(suffix=".ndjson") as figures:
            environment = {
                **os.environ,
                "MEP_BATCH_TEST_ROUNDS": str(rounds),
                "MEP_BATCH_TEST_MINUTES": str(minutes),
                "MEP_BATCH_TEST_FIGURES": figures.name,
            }
            if seed is not None:
                environment["MEP_BATCH_TEST_SEED"] = str(seed)
            words = ["cargo", "test", "--test", self.file, "--", *self.facts]
            done = subprocess.run(words, cwd=ROOT, env=environment)
            told = [json.loads(line) for line in Path(figures.name).read_text(encoding="utf-8").splitlines()]
        if done.returncode != 0:
            raise Failed(f"`{' '.join(words)}` ended with {done.returncode}; the seed that replays it is above")
        if not told:
            raise Failed(f"`{' '.join(words)}` ran no rounds: is what it needs installed?")
        added = {}
        for line in told:
            for what, number in line["figures"].items():
                added[what] = added.get(what, 0) + number
        seeds = ", ".join(f"{line['seed']}…{line['seed'] + max(line['rounds'] - 1, 0)}" for line in told)
        asked = sum(line["asked"] for line in told)
        done = sum(line["rounds"] for line in told)
        return Found(done, asked, time.monotonic() - began, seeds, added, times=len(told))


@dataclass
class Script:
    """A part of its own: a function of the rounds, the minutes and the seed."""

    what: str
    rounds: int
    function: object

    def run(self, name, rounds, minutes, seed):
        """Calls it."""
        return self.function(rounds, minutes, seed)


def program(tree=ROOT, target=TARGET):
    """Builds the program of a tree and says where it is."""
    words = ["cargo", "build", "--quiet", "--bin", "mep-batch"]
    subprocess.run(words, cwd=tree, env={**os.environ, "CARGO_TARGET_DIR": str(target)}, check=True)
    return target / "debug" / "mep-batch"


def commit():
    """The commit that is checked out, and whether what the program and its tests are made of was changed since."""
    head = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *MADE_OF], cwd=ROOT)
    return (head or "unknown") + (" and changes" if changed.returncode else "")
