"""The place where it is measured: the programs, a scratch folder, and every process that was started."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

TICKS = os.sysconf("SC_CLK_TCK")

# How long a process has to end by itself before it is killed.
GRACE_SECONDS = 20


@dataclass(frozen=True)
class Sizes:
    """How many rows each line has, so that a round takes some seconds."""

    at_0ms: int
    at_50ms: dict
    asyncio: int
    peers: dict
    imported: int
    large: int
    small: int
    taken: int
    rounds: int
    long_rounds: int


FULL = Sizes(
    at_0ms=200_000,
    at_50ms={64: 15_000, 256: 50_000, 1024: 200_000},
    asyncio=40_000,
    peers={"xargs": 1_000, "parallel": 500, "curl": 50_000, "row": 8_000},
    imported=1_000_000,
    large=5_000_000,
    small=10_000,
    taken=9_000,
    rounds=5,
    long_rounds=3,
)
QUICK = Sizes(
    at_0ms=4_000,
    at_50ms={64: 640, 256: 2_560, 1024: 10_240},
    asyncio=2_000,
    peers={"xargs": 50, "parallel": 50, "curl": 2_000, "row": 200},
    imported=20_000,
    large=50_000,
    small=2_000,
    taken=1_500,
    rounds=1,
    long_rounds=1,
)


class Failed(Exception):
    """What keeps it from being measured, for people."""


@dataclass
class Cost:
    """What a process cost, and what it said on stdout."""

    seconds: float
    cpu_seconds: float
    memory_mib: float
    said: str


def tell(text):
    """What goes on, for who waits."""
    print(text, file=sys.stderr, flush=True)


class Work:
    """A scratch folder, and the processes that were started; both go with it."""

    def __init__(self, binary, bare_loop, scratch, sizes, rounds):
        if not os.access(binary, os.X_OK):
            raise Failed(f"`{binary}` is no program")
        self.binary, self.bare_loop, self.sizes = binary, bare_loop, sizes
        self.rounds = rounds or sizes.rounds
        self.long_rounds = rounds or sizes.long_rounds
        self.made = {}
        self.children = []
        self.folder = Path(tempfile.mkdtemp(prefix="mep-batch-comparison-", dir=scratch))
        # The account that PostgreSQL runs as has to get through.
        self.folder.chmod(0o711)
        # Nobody's settings, queue or credentials have a part in it, and no proxy: curl would send through one to loopback.
        foreign = lambda name: name.startswith("MEP_") or name.lower().endswith("_proxy")
        self.environment = {name: value for name, value in os.environ.items() if not foreign(name)}
        # What the program notes of what it sent, which a copy of a database knows nothing of.
        self.notes = self.folder / "state"
        self.environment.update(
            XDG_DATA_HOME=str(self.folder), XDG_CONFIG_HOME=str(self.folder), XDG_STATE_HOME=str(self.notes), LC_ALL="C"
        )
        # 1,024 in flight are 1,024 connections at either end.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return self.folder / name

    def forget_notes(self):
        """Before a copy is run of which an earlier copy was run already: it would be refused for being older than the notes."""
        shutil.rmtree(self.notes, ignore_errors=True)

    def once(self, name, make):
        """What `make` makes, made by the first who asks for it."""
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    def start(self, command, **options):
        """Starts a process that lives until the end of the work."""
        child = subprocess.Popen(list(map(str, command)), env=self.environment, **options)
        self.children.append(child)
        return child

    def timed(self, command, stdin=None, ends_with=0):
        """Runs a command to its end; what it cost."""
        command = list(map(str, command))
        with open(self.path("stdout"), "w+") as out, open(self.path("stderr"), "w+") as err:
            began = time.monotonic()
            child = subprocess.Popen(
                command, env=self.environment, stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=err
            )
            self.children.append(child)
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.monotonic() - began
            child.returncode = os.waitstatus_to_exitcode(status)
            self.children.remove(child)
            out.seek(0)
            err.seek(0)
            said, error = out.read(), err.read()
        if child.returncode != ends_with:
            raise Failed(f"`{' '.join(command)}` ended with {child.returncode}:\n{error[-2000:]}{said[-2000:]}")
        return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said)

    def tool(self, database, *arguments):
        """Runs the program on a database to its end."""
        return self.timed([self.binary, "--quiet", "--db", database, *arguments])

    def simulator(self, latency, receipts=None):
        """A stand-in for the service that answers after so long; one for all who ask for the same."""
        return self.once(f"simulator {latency} {receipts}", lambda: Simulator(self, latency, receipts))


class Simulator:
    """`mep-batch simulate` on a port of its own."""

    def __init__(self, work, latency, receipts):
        command = [work.binary, "simulate", "--json", "--listen", "127.0.0.1:0", "--latency", latency]
        if receipts:
            command += ["--receipts", receipts]
        with open(work.path("simulator.log"), "a") as log:
            self.child = work.start(command, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.child.stdout.readline()
        if not line:
            raise Failed(f"`{' '.join(map(str, command))}` did not start")
        self.base = json.loads(line)["listening"]
        self.url = f"{self.base}/service/v1/invokeService/ABC123"

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


class Series:
    """Measurements of one thing, a figure a round."""

    def __init__(self):
        self.figures = []

    def add(self, figure):
        self.figures.append(figure)

    def median(self):
        return median(self.figures)

    def spread(self):
        return min(self.figures), max(self.figures)


def side_by_side(rounds, contenders):
    """Has each do its part in each round, first one first, then the other: what else the machine does hits all alike.

    A contender returns a dict of figures; the answer is a dict of such dicts of series.
    """
    found = {name: {} for name in contenders}
    for number in range(rounds):
        order = list(contenders)
        if number % 2:
            order.reverse()
        for name in order:
            figures = contenders[name]()
            for what, figure in figures.items():
                found[name].setdefault(what, Series()).add(figure)
            shown = ", ".join(f"{what} {figure:.6g}" for what, figure in figures.items())
            tell(f"  {number + 1}/{rounds} {name}: {shown}")
    return found
