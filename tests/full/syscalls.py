"""A campaign of six rows, killed before each of the system calls by which it changes anything, and gone on with."""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from full import tracing
from full.checker import Checker
from full.part import Failed, Found, program
from full.queue import StandIn, campaign, environment

ROWS = 6
CONCURRENCY = 2
NAME = "campaign"
RUN = ["run", NAME, "--concurrency", str(CONCURRENCY), "--max-unknown", str(ROWS), "--probe-after", "1ms"]
RESOLVE = ["resolve", NAME, "--all", "--as", "not-sent", "--reason", "asked", "--yes"]
RETRY = ["retry", NAME, "--state", "rejected"]

# What is counted of the calls, beside the kills of each command.
KINDS = {
    "before a write to the database": ("pwrite64", "pwritev"),
    "before a sync": ("fsync", "fdatasync"),
    "before a call on a socket": ("connect", "sendto", "sendmsg", "writev", "recvfrom", "shutdown"),
    "before another write": ("write",),
    "before a file was made, cut, renamed or removed": (
        *("openat", "ftruncate", "truncate", "fallocate", "rename", "renameat", "renameat2"),
        *("unlink", "unlinkat", "mkdir", "mkdirat", "chmod", "fchmod"),
    ),
}


def syscalls(rounds, minutes, _seed):
    """A round kills each command before each of its calls, until it ends without having been killed."""
    began = time.monotonic()
    figures = {f"kills of `{command}`": 0 for command in ("import", "run", "resolve", "retry")} | dict.fromkeys(KINDS, 0)
    done = 0
    with tempfile.TemporaryDirectory(prefix="mep-batch-") as folder:
        place = Place(Path(folder))
        try:
            stages = place.stages()
            while done < rounds and kill_everywhere(place, stages, figures, began + minutes * 60):
                done += 1
        finally:
            place.end()
    if done == 0:
        raise Failed(f"{sum_of_kills(figures)} kills held, and the minutes were over before each call had its own")
    return Found(done, rounds, time.monotonic() - began, "no chance in it", figures)


def sum_of_kills(figures):
    return sum(number for what, number in figures.items() if what.startswith("kills"))


def kill_everywhere(place, stages, figures, until):
    """Whether there was time for all of it."""
    for command, stage in stages.items():
        at, call = 0, ""
        while call is not None:
            if time.monotonic() > until:
                return False
            at += 1
            call = place.kill(stage, at)
            if call is not None:
                figures[f"kills of `{command}`"] += 1
                for kind, calls in KINDS.items():
                    figures[kind] += call in calls
    return True


class Stage:
    """A command, and the folder in which it finds what it needs."""

    def __init__(self, folder, words, state, unknown):
        self.folder, self.words = folder, words
        # The state of all rows before it, and none after it; and how many rows it may leave unknown where it is killed.
        self.state, self.unknown = state, unknown


class Place:
    """A folder with a stand-in that is always at the same address."""

    def __init__(self, folder):
        self.folder = folder
        self.program, self.checker = program(), Checker()
        self.stand_in, self.number = None, 0
        self.url = "http://127.0.0.1:0"
        self.begin("--latency 2ms")

    def begin(self, flags):
        """Starts a stand-in in the place of the last one."""
        self.end()
        self.number += 1
        receipts, address = f"receipts-{self.number}.ndjson", self.url.removeprefix("http://")
        (self.folder / receipts).touch()
        self.stand_in = StandIn(self.program, self.folder, flags, address, receipts)
        self.receipts, self.url = self.stand_in.receipts, self.stand_in.url

    def end(self):
        if self.stand_in is not None:
            self.stand_in.end()
            self.stand_in = None

    def stages(self):
        """Makes the folders in which each command begins."""
        empty = self.folder / "empty"
        empty.mkdir()
        (empty / "campaign.csv").write_text(campaign(ROWS), encoding="utf-8")
        imported, unknown, rejected = (self.folder / name for name in ("imported", "unknown", "rejected"))
        shutil.copytree(empty, imported)
        self.does(imported, self.importing(), 0)
        for folder, fault in ((unknown, "close=1"), (rejected, "400=1")):
            shutil.copytree(imported, folder)
            self.begin(f"--fault {fault}")
            while self.states(folder).get("pending"):
                # Its gate closes, and each run sends one row to look.
                self.does(folder, [*RUN, "--wait", "0"], 3, 4, 5, 6)
            self.end()
            shutil.copy(self.receipts, folder / "receipts-before.ndjson")
        self.begin("--latency 2ms")
        return {
            "import": Stage(empty, self.importing(), None, 0),
            "run": Stage(imported, RUN, None, CONCURRENCY),
            "resolve": Stage(unknown, RESOLVE, "unknown", 0),
            "retry": Stage(rejected, RETRY, "rejected", 0),
        }

    def importing(self):
        return ["import", "campaign.csv", "--endpoint", self.url]

    def kill(self, stage, at):
        """Kills the command before that call, goes on until all is done, and judges; the call's name, or None."""
        folder = self.folder / "now"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(stage.folder, folder)
        before = self.receipts.stat().st_size
        told = folder / "told"
        with told.open("w") as out:
            options = {"cwd": folder, "env": environment(folder), "stdin": subprocess.DEVNULL, "stdout": out, "stderr": out}
            call, code = tracing.run([self.program, "--db", "queue.db", *stage.words], at, **options)
        what = f"`{' '.join(stage.words)}`, killed before call {at} ({call})"
        if call is None and code != 0:
            raise Failed(f"`{' '.join(stage.words)}` ended with {code}: {told.read_text()}")
        self.go_on(stage, folder, what)
        received = folder / "receipts-now.ndjson"
        received.write_bytes(self.receipts.read_bytes()[before:])
        receipts, files = sorted(folder.glob("receipts-*.ndjson")), [folder / "campaign.csv"]
        self.checker.judge(folder / "queue.db", receipts, files, ROWS)
        states = self.states(folder)
        unknown = states["unknown"]
        if unknown + states["accepted"] != ROWS or unknown > (stage.unknown if call else 0):
            raise Failed(f"{what}, led to {states}")
        length = self.receipts.stat().st_size
        self.does(folder, RUN, 4 if unknown else 0)
        if self.receipts.stat().st_size != length:
            raise Failed(f"{what}: a run that had nothing to send sent something")
        return call

    def go_on(self, stage, folder, what):
        """What an operator types behind a crash."""
        if stage.words[0] == "import":
            self.does(folder, stage.words, 0, 7)
        elif stage.state is not None:
            states = self.states(folder)
            if states[stage.state] not in (0, ROWS):
                raise Failed(f"{what}: some rows were decided and others not: {states}")
            if states[stage.state] == ROWS:
                self.does(folder, stage.words, 0)
        self.does(folder, RUN, 0, 4)

    def states(self, folder):
        told = self.does(folder, ["status", NAME, "--json"], 0)
        return json.loads(told.splitlines()[-1])["states"]

    def does(self, folder, words, *codes):
        """What the program says, which has to end with one of these codes."""
        options = {"cwd": folder, "env": environment(folder), "stdin": subprocess.DEVNULL}
        done = subprocess.run([self.program, "--db", "queue.db", *words], capture_output=True, text=True, **options)
        if done.returncode not in codes:
            raise Failed(f"`{' '.join(words)}` ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout
