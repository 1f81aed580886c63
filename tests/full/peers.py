"""The storm for comparison: `kill -9` at random moments and begun again until done, for this program and for what people use."""

import importlib.util
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from full import queue
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
    queue.need("parallel", "curl")
    queue.hold(importlib.util.find_spec("aiohttp"), "`aiohttp` is not installed (pip)")
    mep, figures = program(), {}
    while done < rounds and time.monotonic() - began < minutes * 60:
        for name, contender in CONTENDERS.items():
            with tempfile.TemporaryDirectory(prefix="mep-batch-") as path:
                folder = Path(path)
                with queue.StandIn(mep, folder, "--latency 5ms..40ms") as stand_in:
                    storm(contender(mep, folder, stand_in), stand_in, random.Random(seed + done))
                texts = Counter(json.loads(line)["phoneNumber"] for line in stand_in.since(0))
                found = {
                    "twice": sum(count > 1 for count in texts.values()),
                    "never": PEOPLE - len(texts),
                    "unknown": contender.unknown(folder),
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


def storm(contender, stand_in, rng):
    """Starts it, kills it in the middle, again and again, and lets it end at last."""
    for _ in range(KILLS):
        until = len(stand_in.since(0)) + rng.randrange(1, BETWEEN)
        process = started(contender)
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and len(stand_in.since(0)) < until and time.monotonic() < deadline:
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


class Contender:
    """Something that sends the campaign, and can be started again."""

    def __init__(self, mep, folder, stand_in):
        self.mep, self.folder, self.base = mep, folder, stand_in.url
        self.url = f"{self.base}/service/v1/invokeService/{queue.SERVICE}"
        self.prepare()

    def prepare(self):
        """Makes its input."""

    def after_kill(self):
        """What an operator does before the next start."""

    def environment(self):
        """The environment of its process."""
        return {**queue.environment(self.folder), "LANG": "C.UTF-8"}

    @staticmethod
    def unknown(folder):
        """People of whom it says that nobody can know; the others can only be right or wrong."""
        return 0


def body(person):
    """The request for a person."""
    return json.dumps({"endUser": {"phoneNumber": int(queue.phone(person))}, "variables": {"session": {"seat": f"{person}A"}}})


class MepBatch(Contender):
    """This program: the same command again."""

    def prepare(self):
        (self.folder / "campaign.csv").write_text(queue.campaign(PEOPLE), encoding="utf-8")

    def command(self):
        line = f"run campaign.csv --endpoint {self.base} --concurrency {IN_FLIGHT} --max-unknown {PEOPLE}"
        return queue.words_of(self.mep, self.folder, line)

    @staticmethod
    def unknown(folder):
        return queue.read(folder, "SELECT count(*) FROM invocation WHERE state = 'unknown'")[0][0]


class Parallel(Contender):
    """GNU parallel with a log by which it goes on, and curl that tries again."""

    def prepare(self):
        bodies = "".join(f"{body(person)}\n" for person in range(PEOPLE))
        (self.folder / "bodies").write_text(bodies, encoding="utf-8")

    def command(self):
        words = ["parallel", "--will-cite", "--jobs", str(IN_FLIGHT), "--joblog", "log", "--resume-failed", "--arg-file", "bodies"]
        curl = ["curl", "--silent", "--fail", "--retry", "3", "--header", f"'{HEADER}'", "--data-raw", "{}", self.url]
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
        return [sys.executable, ASYNCIO, self.url, "asyncio.db", str(IN_FLIGHT), "group"]


class AsyncioThatForgets(Asyncio):
    """The same script, where what was in flight when it died is taken for sent."""

    AGAIN = "UPDATE invocation SET state = 'accepted' WHERE state = 'sending'"


CONTENDERS = {
    "mep-batch": MepBatch,
    "parallel and curl --retry": Parallel,
    "asyncio that sends again": Asyncio,
    "asyncio that takes it for sent": AsyncioThatForgets,
}
