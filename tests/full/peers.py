"""The storm for comparison: `kill -9` at random moments and begun again until done, for this program and for what people use."""

import importlib.util
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from full.part import ROOT, Failed, Found, program

PEOPLE = 300
IN_FLIGHT = 8
KILLS = 5
# Requests that come between a start and its kill, at most.
BETWEEN = PEOPLE // (KILLS + 1)
PATIENCE = 120
ASYNCIO = ROOT / "benches" / "comparison" / "asyncio_peer.py"
HEADER = "Content-Type: application/json"


def peers(rounds, minutes, seed):
    """Storms over each contender, and how many people were texted twice or not at all."""
    began, seed, done = time.monotonic(), random.getrandbits(32) if seed is None else seed, 0
    missing = [name for name in ("parallel", "curl") if not shutil.which(name)]
    missing += [] if importlib.util.find_spec("aiohttp") else ["aiohttp (pip)"]
    if missing:
        raise Failed(f"not installed: {', '.join(missing)}")
    mep, figures = program(), {}
    while done < rounds and time.monotonic() - began < minutes * 60:
        for name, contender in CONTENDERS.items():
            with tempfile.TemporaryDirectory(prefix="mep-batch-") as folder, Simulator(mep, Path(folder)) as simulator:
                storm(contender(mep, Path(folder), simulator), simulator, random.Random(seed + done))
                texts = simulator.texts()
                found = {
                    "twice": sum(count > 1 for count in texts.values()),
                    "never": PEOPLE - len(texts),
                    "unknown": contender.unknown(Path(folder)),
                }
            if contender is MepBatch and (found["twice"] or found["never"] > found["unknown"]):
                raise Failed(f"{name}: {found}; `--seed {seed + done} --rounds 1` replays it")
            for what, number in found.items():
                if what != "unknown" or contender is MepBatch:
                    key = f"of {name}: {'left unknown' if what == 'unknown' else 'texted ' + what}"
                    figures[key] = figures.get(key, 0) + number
        done += 1
    figures = {"people in each storm": PEOPLE, "kills in each storm": KILLS, **figures}
    return Found(done, rounds, time.monotonic() - began, f"{seed}…{seed + max(done - 1, 0)}", figures)


def storm(contender, simulator, rng):
    """Starts it, kills it in the middle, again and again, and lets it end at last."""
    for _ in range(KILLS):
        until = simulator.received() + rng.randrange(1, BETWEEN)
        process = started(contender)
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and simulator.received() < until and time.monotonic() < deadline:
            time.sleep(0.001)
        kill(process)
        contender.after_kill()
    process = started(contender)
    try:
        process.wait(PATIENCE)
    finally:
        kill(process)


def started(contender):
    """A process with a group of its own, so that all that it has started is killed with it."""
    log = open(contender.folder / "said", "ab")
    return subprocess.Popen(
        contender.command(),
        cwd=contender.folder,
        env=contender.environment(),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def kill(process):
    """As the kernel does where memory is short."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Simulator:
    """The stand-in for the API; what it received is what counts."""

    def __init__(self, mep, folder):
        self.receipts = folder / "receipts.ndjson"
        words = [mep, "simulate", "--listen", "127.0.0.1:0", "--json", "--latency", "5ms..40ms", "--receipts", self.receipts]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.base = json.loads(self.process.stdout.readline())["listening"]
        self.url = f"{self.base}/service/v1/invokeService/ABC123"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def received(self):
        """How many requests have come."""
        return self.receipts.read_bytes().count(b"\n") if self.receipts.exists() else 0

    def texts(self):
        """How many requests came for each phone number."""
        lines = self.receipts.read_text(encoding="utf-8").splitlines()
        return Counter(json.loads(line)["phoneNumber"] for line in lines)


class Contender:
    """Something that sends the campaign, and can be started again."""

    def __init__(self, mep, folder, simulator):
        self.mep, self.folder, self.simulator = mep, folder, simulator
        self.prepare()

    def prepare(self):
        """Makes its input."""

    def after_kill(self):
        """What an operator does before the next start."""

    def environment(self):
        """The environment of its process."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}

    @staticmethod
    def unknown(folder):
        """People of whom it says that nobody can know; the others can only be right or wrong."""
        return 0


def phone(person):
    """A number that belongs to nobody."""
    return 12005550100 + person // 100 * 10_000_000 + person % 100


def body(person):
    """The request for a person."""
    return json.dumps({"endUser": {"phoneNumber": phone(person)}, "variables": {"session": {"seat": f"{person}A"}}})


class MepBatch(Contender):
    """This program: the same command again."""

    def prepare(self):
        rows = "".join(f"{phone(person)},{person}A\n" for person in range(PEOPLE))
        (self.folder / "campaign.csv").write_text(f"phoneNumber,session.seat\n{rows}", encoding="utf-8")

    def command(self):
        flags = ["--service", "ABC123", "--endpoint", self.simulator.base, "--concurrency", str(IN_FLIGHT)]
        return [self.mep, "--db", "queue.db", "run", "campaign.csv", *flags, "--max-unknown", str(PEOPLE)]

    @staticmethod
    def unknown(folder):
        database = sqlite3.connect(f"file:{folder / 'queue.db'}?mode=ro", uri=True)
        return database.execute("SELECT count(*) FROM invocation WHERE state = 'unknown'").fetchone()[0]


class Parallel(Contender):
    """GNU parallel with a log by which it goes on, and curl that tries again."""

    def prepare(self):
        bodies = "".join(f"{body(person)}\n" for person in range(PEOPLE))
        (self.folder / "bodies").write_text(bodies, encoding="utf-8")

    def command(self):
        words = ["parallel", "--will-cite", "--jobs", str(IN_FLIGHT), "--joblog", "log", "--resume-failed", "--arg-file", "bodies"]
        curl = ["curl", "--silent", "--fail", "--retry", "3", "--header", f"'{HEADER}'", "--data-raw", "{}", self.simulator.url]
        return [*words, *curl]


class Asyncio(Contender):
    """A script with a queue in SQLite; what was in flight when it died is sent again, as such scripts do."""

    AGAIN = "UPDATE invocation SET state = 'pending' WHERE state = 'sending'"

    def prepare(self):
        database = sqlite3.connect(self.folder / "asyncio.db")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(
            "CREATE TABLE invocation (id INTEGER PRIMARY KEY, state TEXT NOT NULL, body TEXT, status INTEGER, request_id TEXT)"
        )
        rows = ((body(person),) for person in range(PEOPLE))
        database.executemany("INSERT INTO invocation (state, body) VALUES ('pending', ?)", rows)
        database.commit()
        database.close()

    def after_kill(self):
        database = sqlite3.connect(self.folder / "asyncio.db")
        database.execute(self.AGAIN)
        database.commit()
        database.close()

    def environment(self):
        return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self):
        return [sys.executable, ASYNCIO, self.simulator.url, "asyncio.db", str(IN_FLIGHT), "group"]


class AsyncioThatForgets(Asyncio):
    """The same script, where what was in flight when it died is taken for sent."""

    AGAIN = "UPDATE invocation SET state = 'accepted' WHERE state = 'sending'"


CONTENDERS = {
    "mep-batch": MepBatch,
    "parallel and curl --retry": Parallel,
    "asyncio that sends again": Asyncio,
    "asyncio that takes it for sent": AsyncioThatForgets,
}
