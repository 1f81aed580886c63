"""What the figures were measured on and with."""

import os
import platform
import sqlite3
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from . import peers, postgres


def described(work, built):
    """A fact a line."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    files, fdatasync = file_system(work.folder), synced(work)
    versions = [
        f"{said(work.binary, '--version')} ({built})",
        said("rustc", "--version"),
        f"Python {platform.python_version()} with sqlite3 {sqlite3.sqlite_version}",
        *(f"{name} {version}" for name, version in peers.versions().items() if version),
        *filter(None, [postgres.version()]),
    ]
    missing = [name for name, version in peers.versions().items() if not version]
    if not postgres.version():
        missing.append("PostgreSQL")
    facts = [
        f"Measured {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC on {processor()}, {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, Linux {platform.release()}; clients, server and databases share it. "
        f"Load before: {os.getloadavg()[0]:.1f}.",
        f"Scratch on {files}; an `fdatasync` of 4 KiB takes {fdatasync:.2f} ms (median).",
        "; ".join(versions) + ".",
    ]
    return facts + [f"Not installed: {', '.join(missing)}."] if missing else facts


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def file_system(folder):
    """The type of the file system, and its device."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    under = [mount for mount in mounts if folder == Path(mount[1]) or Path(mount[1]) in folder.parents]
    device, _, kind, *_ = max(under, key=lambda mount: len(mount[1]))
    return f"{kind} ({device})"


def synced(work):
    """How long it takes until 4 KiB at the end of a file are on the disk, in milliseconds."""
    times = []
    with open(work.path("fdatasync"), "wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            began = time.monotonic()
            os.fdatasync(file.fileno())
            times.append(time.monotonic() - began)
    return median(times) * 1000


def commit(root):
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=root, capture_output=True, text=True
    )
    return f"commit {done.stdout.strip() or 'unknown'}"


def said(*command):
    """The first line that a command prints."""
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.splitlines()[0].strip() if done.stdout else ""
