"""Lines about sending: the durable loop against the bare one."""

import json

from . import rows
from .table import Line
from .work import side_by_side

# The ratio to reach, and the one that is aimed at.
REACH = {
    ("0ms", 256): (0.50, 0.65),
    ("0ms", 64): (0.40, 0.55),
    ("50ms", 64): (0.95, 0.98),
    ("50ms", 256): (0.95, 0.98),
    ("50ms", 1024): (0.88, 0.95),
}

# What the process may hold in memory, in MiB.
MEMORY_MAX = 64


def against_bare(work, latency, in_flight):
    count = work.sizes.at_0ms if latency == "0ms" else work.sizes.at_50ms[in_flight]
    simulator = work.simulator(latency)
    found = side_by_side(
        work.rounds,
        {
            "bare loop": lambda: bare(work, simulator, count, in_flight),
            "mep-batch run": lambda: durable(work, simulator, count, in_flight),
        },
    )
    ours, theirs = found["mep-batch run"], found["bare loop"]
    work.made[f"sent {latency} {in_flight}"] = found
    at_least, aim = REACH[latency, in_flight]
    what = f"durable invocations a second / bare reqwest loop, {latency[:-2]} ms, {in_flight:,} in flight"
    return Line.of_two(what, ours["a second"], theirs["a second"], "/s", at_least, aim, costs=found)


def bare(work, simulator, count, in_flight):
    bare_loop = work.once("bare loop", work.bare_loop)
    before = simulator.cpu_seconds()
    cost = work.timed([bare_loop, simulator.url, rows.bodies_file(work, count), in_flight])
    # By its own clock: neither its start nor the reading of its file counts against it.
    return figures(count, json.loads(cost.said)["seconds"], cost, simulator.cpu_seconds() - before)


def durable(work, simulator, count, in_flight):
    original, _ = rows.queue(work, count, simulator)
    database = rows.fresh(work, original, "sending.db")
    before = simulator.cpu_seconds()
    # The whole process: its start, its last commit, and the fold of the log into the file count against it.
    cost = work.tool(database, "run", "b", "--concurrency", in_flight)
    return figures(count, cost.seconds, cost, simulator.cpu_seconds() - before)


def figures(count, seconds, cost, simulator_seconds):
    return {
        "a second": count / seconds,
        "CPU µs": cost.cpu_seconds / count * 1e6,
        "simulator µs": simulator_seconds / count * 1e6,
        "MiB": cost.memory_mib,
    }


def memory(work):
    """The most that sending with 256 in flight holds in memory."""
    found = work.made.get("sent 0ms 256")
    if not found:
        simulator = work.simulator("0ms")
        found = side_by_side(1, {"mep-batch run": lambda: durable(work, simulator, work.sizes.at_0ms, 256)})
    most = max(found["mep-batch run"]["MiB"].figures)
    return Line.limit("peak memory: sending with 256 in flight", f"{most:.0f} MiB", most, MEMORY_MAX, " MiB")
