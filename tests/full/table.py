"""The table of what was found, in Markdown, and its place in a document."""

import platform
from pathlib import Path

from full.part import Found

BEGIN = "<!-- begin: python3 tests/full.py -->"
END = "<!-- end: python3 tests/full.py -->"


def put(path, parts):
    """Writes the table between the file's markers."""
    old = path.read_text(encoding="utf-8")
    if BEGIN not in old or END not in old:
        raise SystemExit(f"error: {path} has no line `{BEGIN}`, or no `{END}` below it")
    before, after = old.split(BEGIN, 1)[0], old.split(END, 1)[1]
    path.write_text(f"{before}{BEGIN}\n\n{markdown(parts)}\n{END}{after}", encoding="utf-8")


def markdown(parts):
    """A line for each part, run or not."""
    lines = [f"Machine: {machine()}.", "", "| part | what | rounds | minutes | seeds | found | date, commit |", "|---" * 7 + "|"]
    for name, part in parts.items():
        found = Found.kept(name)
        if found is None:
            lines.append(f"| `{name}` | {part.what} | not run yet, of {part.rounds:,} | | | | |")
            continue
        minutes = f"{found.seconds / 60:.1f}"
        lines.append(
            f"| `{name}` | {part.what} | {found.rounds_of(part.rounds)} | {minutes} | {found.seeds} | {found.text()} | {found.date}, {found.commit} |"
        )
    return "\n".join(lines) + "\n"


def machine():
    """The processor, its cores, the memory and the kernel."""
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in facts if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]) / 1024 / 1024
    return f"{len(names)} cores of {names[0] if names else platform.machine()}, {memory:.0f} GiB, Linux {platform.release()}"
