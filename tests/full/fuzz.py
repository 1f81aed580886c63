"""The fuzz targets: each looks for bytes for which what is claimed of them does not hold, until its time is over.

Needs a nightly toolchain and `cargo install cargo-fuzz`. What it grows is kept in `fuzz/target/corpora`, so that the next time
goes on from there; `fuzz/corpus` is only read.
"""

import os
import re
import subprocess
import time

from full.part import ROOT, Failed, Found

FUZZ = ROOT / "fuzz"
TARGETS = ("answer", "csv", "json", "phone", "retry_after")

# A claim that takes this long for one input is a fault of its own, in seconds.
SLOWEST = 20
# Longer inputs find nothing that shorter ones do not, and are slow.
LONGEST = 4096


def fuzz(rounds, minutes, seed):
    """Runs each target for its share of the rounds, which are minutes here."""
    began = time.monotonic()
    build()
    seed = seed or int(time.time()) % 1_000_000 + 1
    minutes = min(rounds, minutes)
    figures = {}
    for target in TARGETS:
        inputs, kept = one(target, max(minutes * 60 // len(TARGETS), 1), seed)
        figures[f"inputs of `{target}`"] = inputs
        figures[f"kept by `{target}`"] = kept
    return Found(minutes, rounds, time.monotonic() - began, str(seed), figures)


def build():
    """Builds all targets, optimized and with the checks of a debug build.

    Without a sanitizer: there is no `unsafe` here, and three times as many inputs are tried.
    """
    words = ["cargo", "+nightly", "fuzz", "build", "--sanitizer", "none"]
    done = subprocess.run(words, cwd=ROOT)
    if done.returncode != 0:
        raise Failed("the fuzz targets cannot be built: `rustup toolchain install nightly` and `cargo install cargo-fuzz`?")


def one(target, seconds, seed):
    """Runs a target; how many inputs it tried, and how many it keeps because each leads where no other does."""
    grown, found = FUZZ / "target" / "corpora" / target, FUZZ / "target" / "found" / target
    for folder in (grown, found):
        folder.mkdir(parents=True, exist_ok=True)
    program = next((FUZZ / "target").glob(f"*/release/{target}"), None)
    if program is None:
        raise Failed(f"there is no `fuzz/target/*/release/{target}`: is `CARGO_TARGET_DIR` set?")
    words = [str(program), str(grown), str(FUZZ / "corpus" / target)]
    words += [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LONGEST}"]
    words += [f"-timeout={SLOWEST}", f"-artifact_prefix={found}/", "-print_final_stats=1", "-verbosity=0"]
    # The files that a reader is given are best in memory.
    shm = {"TMPDIR": "/dev/shm"} if os.path.isdir("/dev/shm") else {}
    environment = {**os.environ, **shm, "RUST_BACKTRACE": "0"}
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, errors="replace", env=environment)
    tried = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    if done.returncode != 0 or not tried:
        written = re.search(r"Test unit written to (\S+)", done.stderr)
        where = f"`{written.group(1)}` replays it" if written else "no input was written"
        panic = re.search(r"panicked at .*\n.*", done.stderr)
        why = panic.group(0).strip() if panic else done.stderr[-600:].strip()
        raise Failed(f"`{target}`: {where} (seed {seed}): {why}")
    return int(tried.group(1)), len(list(grown.iterdir()))
