"""Lines about a queue of 5,000,000 rows."""

import json
import time
from datetime import datetime

from . import rows
from .table import Line, shown
from .work import Series, side_by_side, tell

IN_FLIGHT = 256

# What `run` and `status` may take on all those rows.
SECONDS_MAX = 0.2


def simulator(work):
    """One that notes when each request came."""
    return work.simulator("0ms", work.path("receipts"))


def queue(work):
    """The queue, its import's cost with it."""
    if f"queue {work.sizes.large} {simulator(work).base}" not in work.made:
        tell(f"  importing {work.sizes.large:,} rows")
    return rows.queue(work, work.sizes.large, simulator(work))


def taking(work):
    """What a row costs that is taken, sent and settled, among few and among many, without the start and the end."""
    sizes = work.sizes
    large, _ = queue(work)
    small, _ = rows.queue(work, sizes.small, simulator(work))

    def costs(database):
        one = send(work, database, 1)
        many = send(work, database, sizes.taken + 1)
        each = 1e6 / sizes.taken
        return {"µs": (many.seconds - one.seconds) * each, "CPU µs": (many.cpu_seconds - one.cpu_seconds) * each}

    among_many, among_few = f"among {sizes.large:,}", f"among {sizes.small:,}"
    found = side_by_side(
        max(work.rounds, work.sizes.rounds),
        {
            among_few: lambda: costs(rows.fresh(work, small, "small.db")),
            among_many: lambda: costs(large),
        },
    )
    what = f"a row taken among {sizes.large:,} / among {sizes.small:,}"
    many, few = found[among_many]["CPU µs"], found[among_few]["CPU µs"]
    line = Line.of_two(what, many, few, " µs CPU", 1.2, 1.0, most=True)
    # By the clock it is the disk and whatever else runs: told, and not judged.
    clock = [shown(found[among]["µs"], " µs") for among in (among_many, among_few)]
    line.measured += f"; by the clock {' / '.join(clock)}"
    return line


def start(work):
    """From the start of `run` to its first request at the service."""
    database, _ = queue(work)
    found = Series()
    for number in range(work.rounds):
        receipts = work.path("receipts")
        seen = receipts.stat().st_size if receipts.exists() else 0
        began = time.time()
        send(work, database, IN_FLIGHT)
        with open(receipts) as file:
            file.seek(seen)
            first = min(received_at(line) for line in file)
        found.add(first - began)
        tell(f"  {number + 1}/{work.rounds} first request after {first - began:.3f} s")
    return seconds_line(work, "`run` on {} pending rows: start to first request", found)


def status(work):
    """What `status` takes."""
    database, _ = queue(work)
    found = Series()
    for number in range(work.rounds):
        found.add(work.timed([work.binary, "--db", database, "status", "b"]).seconds)
        tell(f"  {number + 1}/{work.rounds} {found.figures[-1]:.3f} s")
    return seconds_line(work, "`status` on {} pending rows", found)


def seconds_line(work, what, found):
    least, most = found.spread()
    shown = f"{found.median():.3f} s ({least:.3f}–{most:.3f})"
    return Line.limit(what.format(f"{work.sizes.large:,}"), shown, found.median(), SECONDS_MAX, " s")


def send(work, database, limit):
    command = [work.binary, "--quiet", "--db", database, "run", "b", "--limit", limit, "--concurrency", IN_FLIGHT]
    # It ends because of the limit, which is what the exit code says.
    return work.timed(command, ends_with=5)


def received_at(receipt):
    return datetime.fromisoformat(json.loads(receipt)["at"].replace("Z", "+00:00")).timestamp()
