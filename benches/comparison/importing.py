"""Lines about the import: against a script that only stores, and its memory."""

import sys
from pathlib import Path

from . import large, rows
from .sending import MEMORY_MAX
from .table import Line
from .work import side_by_side

STORE_CSV = Path(__file__).with_name("store_csv.py")


def against_python(work):
    count = work.sizes.imported
    simulator = work.simulator("0ms")
    file = rows.csv_file(work, count)

    def figures(cost):
        return {"a second": count / cost.seconds, "CPU µs": cost.cpu_seconds / count * 1e6, "MiB": cost.memory_mib}

    def imported():
        database = work.path("import.db")
        gone(database)
        return figures(rows.fill(work, database, count, simulator))

    def stored():
        database = work.path("import-python.db")
        gone(database)
        return figures(work.timed([sys.executable, STORE_CSV, file, database]))

    found = side_by_side(work.long_rounds, {"Python csv + sqlite3": stored, "mep-batch import": imported})
    gone(work.path("import.db"))
    gone(work.path("import-python.db"))
    work.made["imported"] = found
    what = (
        f"import of {count:,} rows of 8 columns ({file.stat().st_size / 1e6:.0f} MB), with validation, stored bodies and "
        "duplicates / a Python csv + sqlite3 script that only stores"
    )
    ours, theirs = found["mep-batch import"], found["Python csv + sqlite3"]
    return Line.of_two(what, ours["a second"], theirs["a second"], "/s", 2, 4, costs=found)


def memory(work):
    """The most that an import holds in memory, of whatever size."""
    if "imported" in work.made:
        some = max(work.made["imported"]["mep-batch import"]["MiB"].figures)
    else:
        some = rows.fill(work, work.path("import.db"), work.sizes.imported, work.simulator("0ms")).memory_mib
        gone(work.path("import.db"))
    _, cost = large.queue(work)
    shown = f"{work.sizes.imported:,} rows {some:.0f} MiB; {work.sizes.large:,} rows {cost.memory_mib:.0f} MiB"
    return Line.limit("peak memory: import", shown, max(some, cost.memory_mib), MEMORY_MAX, " MiB")


def gone(database):
    for suffix in ("", "-wal", "-shm", ".lock"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
