#!/usr/bin/env python3
"""The full programme of tests: what `cargo test` does a few times is done here as often as it takes to trust it.

    python3 tests/full.py --list                    # the parts, and how many rounds each has
    python3 tests/full.py                           # all of them, one after another: hours
    python3 tests/full.py kills disk                # some
    python3 tests/full.py --minutes 5               # no test begins another round after five minutes
    python3 tests/full.py --table docs/reliability.md   # runs nothing: puts what was found into that file

What a part found is kept in `tests/full/found/PART.json`, so that parts can be run on different days; not where `--rounds` or
`--seed` is given, so that a replay takes no result's place. A part that fails, in whatever way, is told of at the end, when all
others have had their turn. Everything is on loopback and against `mep-batch simulate` or a server of the tests' own. Needs
Python 3.9; some parts need `strace`, root or a PostgreSQL, and say so.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import traceback
from pathlib import Path

from full import table
from full.part import Failed
from full.parts import PARTS


def main():
    options = parsed()
    if options.list:
        for name, part in PARTS.items():
            print(f"{name:16} {part.rounds:>6}  {part.what}")
        return 0
    if options.table:
        table.put(options.table, PARTS)
        return 0
    failed = []
    for name in options.parts or PARTS:
        part = PARTS[name]
        rounds = options.rounds or part.rounds
        print(f"{name}: {part.what}: {rounds} rounds, {options.minutes} minutes at most", file=sys.stderr, flush=True)
        try:
            found = part.run(name, rounds, options.minutes, options.seed)
        except Exception as why:
            # Of what did not hold the text says all; anything else may have happened anywhere.
            if not isinstance(why, Failed):
                traceback.print_exc()
            print(f"{name}: FAILED: {why}", file=sys.stderr, flush=True)
            failed.append(name)
            continue
        if options.rounds is None and options.seed is None:
            found.keep(name)
        print(f"{name}: {found.rounds} rounds in {found.seconds:.0f} s: {found.text()}", file=sys.stderr, flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="all where none is named")
    parser.add_argument("--list", action="store_true", help="tell the parts and end")
    parser.add_argument("--rounds", type=int, help="rounds of each part, instead of its own number")
    minutes = "after which no further round begins (60); each of a part's tests counts its own, one after another on one core"
    parser.add_argument("--minutes", type=int, default=60, help=minutes)
    parser.add_argument("--seed", type=int, help="of the first round; each next one's is greater by one")
    parser.add_argument("--table", type=Path, metavar="FILE", help="put what was found between that file's markers")
    options = parser.parse_args()
    for name in options.parts:
        if name not in PARTS:
            parser.error(f"`{name}` is no part; one of {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
