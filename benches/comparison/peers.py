"""The peers: what people use who have a file of requests to send."""

import importlib.util
import json
import shutil
import sqlite3
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from . import rows, sending
from .table import Line, Missing, number
from .work import side_by_side

ASYNCIO = Path(__file__).with_name("asyncio_peer.py")
# What curl allows at most is 300.
IN_FLIGHT = 256
# Processes at once: more of them are slower.
PROCESSES = 64
HEADER = "Content-Type: application/json"


def versions():
    """The version of each peer, or nothing for one that is not installed."""
    aiohttp = metadata.version("aiohttp") if importlib.util.find_spec("aiohttp") else ""
    found = {"aiohttp": aiohttp}
    for name in ("xargs", "curl", "parallel"):
        found[name] = version_of(name) if shutil.which(name) else ""
    return found


def version_of(name):
    first = subprocess.run([name, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    return next((word for word in first.split() if word[0].isdigit()), "?")


def against_asyncio(work):
    """The durable loop against what one writes in Python: the same order of commits, all in one process."""
    what = f"against asyncio + aiohttp + sqlite3 with group commit, 0 ms, {IN_FLIGHT} in flight"
    if not versions()["aiohttp"]:
        return Missing(what, "aiohttp is not installed")
    simulator = work.simulator("0ms")
    found = side_by_side(
        work.long_rounds,
        {
            "asyncio, group commit": lambda: asyncio_peer(work, simulator, work.sizes.asyncio, "group"),
            "mep-batch run": lambda: sending.durable(work, simulator, work.sizes.at_0ms, IN_FLIGHT),
        },
    )
    work.made["asyncio"] = found
    ours, theirs = found["mep-batch run"], found["asyncio, group commit"]
    return Line.of_two(what, ours["a second"], theirs["a second"], "/s", 4, 6, costs=found)


def asyncio_peer(work, simulator, count, commit):
    """Sends from a queue of its own."""

    def make():
        path = work.path(f"asyncio-{count}.db")
        database = sqlite3.connect(path)
        database.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE invocation (id INTEGER PRIMARY KEY, state TEXT NOT NULL, "
            "body TEXT, status INTEGER, request_id TEXT); CREATE INDEX pending ON invocation (id) WHERE state = 'pending'"
        )
        bodies = ((rows.body(n),) for n in range(count))
        database.executemany("INSERT INTO invocation (state, body) VALUES ('pending', ?)", bodies)
        database.commit()
        database.close()
        return path

    database = rows.fresh(work, work.once(f"asyncio {count}", make), "asyncio.db")
    before = simulator.cpu_seconds()
    cost = work.timed([sys.executable, ASYNCIO, simulator.url, database, IN_FLIGHT, commit])
    return sending.figures(count, json.loads(cost.said)["seconds"], cost, simulator.cpu_seconds() - before)


def others(work):
    """What the rest of them send in a second, as a table."""
    sizes, simulator = work.sizes.peers, work.simulator("0ms")
    installed = versions()
    contenders, kept, in_flight, counts = {}, {}, {}, {}

    def contender(name, needs, count, at_once, keeps, measure):
        kept[name], in_flight[name], counts[name] = keeps, at_once, count
        if all(installed[need] for need in needs):
            contenders[name] = lambda: {"a second": measure(count)}

    def seconds(count, command, stdin=None):
        return count / work.timed(command, stdin).seconds

    def xargs(count):
        with open(rows.bodies_file(work, count)) as bodies:
            many = ["xargs", "-P", PROCESSES, "-d", "\\n", "-n", "1"]
            return seconds(count, [*many, *curl(simulator), "--data"], bodies)

    def parallel(count):
        with open(rows.bodies_file(work, count)) as bodies:
            many = ["parallel", "--quote", "-j", PROCESSES, "--joblog", work.path("joblog")]
            return seconds(count, [*many, *curl(simulator), "--data", "{}"], bodies)

    def curl_parallel(count):
        config = work.once(f"curl {count}", lambda: curl_config(work, simulator, count))
        return seconds(count, ["curl", "-q", "--parallel", "--parallel-immediate", "--parallel-max", IN_FLIGHT, "-K", config])

    def row_commit(count):
        return asyncio_peer(work, simulator, count, "row")["a second"]

    few, row = sizes["parallel"], sizes["row"]
    contender("xargs + curl", ["xargs", "curl"], sizes["xargs"], PROCESSES, "nothing", xargs)
    contender("GNU parallel + curl, with its log", ["parallel", "curl"], few, PROCESSES, "a log", parallel)
    contender("curl --parallel", ["curl"], sizes["curl"], IN_FLIGHT, "nothing", curl_parallel)
    contender("asyncio + aiohttp + sqlite3, a commit a row", ["aiohttp"], row, IN_FLIGHT, "each row's state", row_commit)
    found = side_by_side(work.long_rounds, contenders)

    def shown(name, series):
        if not series:
            return f"| {name} | | | not installed | {kept[name]} |"
        least, most = series.spread()
        rate = f"{number(series.median())} ({number(least)}–{number(most)})"
        return f"| {name} | {in_flight[name]} | {counts[name]:,} | {rate} | {kept[name]} |"

    head = "Peers, at 0 ms, against the same simulator:\n\n"
    head += "| who | in flight | rows | a second | what it keeps |\n|---|---|---|---|---|"
    return "\n".join([head, *(shown(name, found.get(name, {}).get("a second")) for name in kept)])


def curl(simulator):
    # Without anybody's `.curlrc`, which may name a proxy.
    return ["curl", "-q", "--silent", "--fail", "--output", "/dev/null", "--header", HEADER, simulator.url]


def curl_config(work, simulator, count):
    """One transfer a row, as curl reads them."""
    path = work.path("curl-config")
    with open(path, "w") as file:
        file.write("silent\n")
        for n in range(count):
            body = rows.body(n).replace('"', '\\"')
            start = "next\n" if n else ""
            file.write(f'{start}url = "{simulator.url}"\nheader = "{HEADER}"\noutput = "/dev/null"\ndata = "{body}"\n')
    return path
