#!/usr/bin/env python3
"""Compares the program with a client that stores nothing, and with its peers, side by side on this machine.

    python3 benches/comparison.py                         # builds, measures all, prints the table
    python3 benches/comparison.py --only 0ms-256 0ms-64   # some of its lines
    python3 benches/comparison.py --quick                 # few rows: to see that it works; its figures mean nothing
    python3 benches/comparison.py -o docs/performance.md  # puts the table between that file's markers

Everything is on loopback and against `mep-batch simulate`. Needs Python 3.9 and nothing but its standard library; what
else is installed of the peers is measured too.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import json
import signal
import subprocess
import time
from pathlib import Path

from comparison import importing, large, peers, postgres, sending
from comparison.machine import commit, described
from comparison.table import Report, put
from comparison.work import FULL, QUICK, Failed, Work, tell

ROOT = Path(__file__).resolve().parent.parent

# What each line of the table is called on the command line, and what measures it.
LINES = {
    "0ms-256": lambda work: sending.against_bare(work, "0ms", 256),
    "0ms-64": lambda work: sending.against_bare(work, "0ms", 64),
    "50ms-64": lambda work: sending.against_bare(work, "50ms", 64),
    "50ms-256": lambda work: sending.against_bare(work, "50ms", 256),
    "50ms-1024": lambda work: sending.against_bare(work, "50ms", 1024),
    "asyncio": peers.against_asyncio,
    "import": importing.against_python,
    "take": large.taking,
    "import-memory": importing.memory,
    "send-memory": sending.memory,
    "start": large.start,
    "status": large.status,
    "postgres": postgres.against_sqlite,
    "peers": peers.others,
}


def main():
    options = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        binary, bare_loop = programs(options)
        with Work(binary, bare_loop, options.scratch, QUICK if options.quick else FULL, options.rounds) as work:
            report = Report(described(work, commit(ROOT) if not options.binary else "built before"), options.quick)
            for name, measure in LINES.items():
                if not options.only or name in options.only:
                    tell(f"{name}:")
                    report.add(name, measure(work))
            report.seconds = time.monotonic() - began
    except Failed as failure:
        sys.exit(f"error: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
    text = report.markdown()
    if options.output:
        put(options.output, text)
    print(text, end="")


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=LINES, metavar="LINE", help=f"of {', '.join(LINES)}")
    parser.add_argument("--quick", action="store_true", help="few rows and one round")
    parser.add_argument("--rounds", type=int, help="rounds of each line (5; 3 where one takes long)")
    parser.add_argument("--binary", type=Path, help="this mep-batch instead of a new build")
    parser.add_argument("--scratch", type=Path, default=Path("/var/tmp"), help="a folder on a real disk (/var/tmp)")
    parser.add_argument("-o", dest="output", type=Path, metavar="FILE", help="write the table there too")
    return parser.parse_args()


def programs(options):
    """The program to measure, and how to come by the yardstick, which not every line needs."""
    if not options.binary:
        folder = build("--bins", "--example", "bare-loop")
        return folder / "mep-batch", lambda: folder / "examples" / "bare-loop"
    return options.binary.resolve(), lambda: build("--example", "bare-loop") / "examples" / "bare-loop"


def build(*targets):
    """Builds for release; the folder that it builds into."""
    command = ["cargo", "build", "--release", "--locked", *targets]
    tell(" ".join(command))
    if subprocess.run(command, cwd=ROOT).returncode:
        raise Failed("the build failed")
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"]
    metadata = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return Path(json.loads(metadata.stdout)["target_directory"]) / "release"


if __name__ == "__main__":
    main()
