"""The table in Markdown, and its place in a document."""

from dataclasses import dataclass, field

# Where a document holds the table, if it holds one.
BEGIN = "<!-- begin: python3 benches/comparison.py -->"
END = "<!-- end: python3 benches/comparison.py -->"


@dataclass
class Line:
    """What was measured, and what it is held against."""

    what: str
    measured: str
    figure: float
    ratio: str
    at_least: float
    aim: float
    unit: str = ""
    # Whether the figure is to stay below, not to reach.
    most: bool = False
    # What each contender cost, and what else there is to say.
    costs: dict = field(default_factory=dict)
    note: str = ""

    @classmethod
    def of_two(cls, what, ours, theirs, unit, at_least, aim, **more):
        """The ratio of two series' medians."""
        ratio = ours.median() / theirs.median()
        measured = f"{shown(ours, unit)} / {shown(theirs, unit)}"
        return cls(what, measured, ratio, f"{ratio:.2f}", at_least, aim, **more)

    @classmethod
    def limit(cls, what, measured, figure, at_most, unit):
        """A figure that is to stay below a limit of its own."""
        return cls(what, measured, figure, "", at_most, at_most, unit, most=True)

    def verdict(self):
        reaches = (lambda bound: self.figure <= bound) if self.most else (lambda bound: self.figure >= bound)
        if reaches(self.aim):
            return "reached, the aim too" if self.aim != self.at_least else "reached"
        return "reached" if reaches(self.at_least) else "**missed**"

    def row(self, name):
        bound = "at most " if self.most else ""
        at_least, aim = f"{bound}{self.at_least:g}{self.unit}", f"{self.aim:g}{self.unit}"
        return f"| `{name}` | {self.what} | {self.measured} | {self.ratio} | {at_least} | {aim} | {self.verdict()} |"


@dataclass
class Missing:
    """What could not be measured here, and why."""

    what: str
    why: str

    def row(self, name):
        return f"| `{name}` | {self.what} | not measured: {self.why} | | | | |"


class Report:
    """All that was measured, as one text."""

    def __init__(self, machine, is_quick):
        self.machine, self.is_quick, self.seconds = machine, is_quick, 0
        self.lines, self.others = {}, []

    def add(self, name, found):
        """Takes a line, or a text of its own."""
        if isinstance(found, str):
            self.others.append(found)
        else:
            self.lines[name] = found

    def markdown(self):
        parts = []
        if self.is_quick:
            parts.append("**Made with `--quick`: the figures mean nothing.**")
        facts = [*self.machine, f"All of this took {self.seconds / 60:.1f} minutes."]
        parts.append("\n".join(f"- {fact}" for fact in facts))
        if self.lines:
            head = "| line | what | measured: median (least–most) | ratio | at least | aim | |\n" + "|---" * 7 + "|"
            parts.append("\n".join([head, *(line.row(name) for name, line in self.lines.items())]))
        measured = {name: line for name, line in self.lines.items() if isinstance(line, Line)}
        costs = [row for name, line in measured.items() for row in cost_rows(name, line.costs)]
        if costs:
            head = "What a row costs, in µs of processor time (medians), and the most memory that a process held:\n\n"
            head += "| line | who | µs | the simulator's µs | MiB |\n|---|---|---|---|---|"
            parts.append("\n".join([head, *costs]))
        parts.extend(line.note for line in measured.values() if line.note)
        parts.extend(self.others)
        return "\n\n".join(parts) + "\n"


def cost_rows(name, costs):
    for who, found in costs.items():
        if "MiB" in found:
            simulator = f"{found['simulator µs'].median():.1f}" if "simulator µs" in found else ""
            server = f" + {found['server µs'].median():.1f} of the server" if "server µs" in found else ""
            memory = max(found["MiB"].figures)
            yield f"| `{name}` | {who} | {found['CPU µs'].median():.1f}{server} | {simulator} | {memory:.0f} |"


def shown(series, unit):
    least, most = series.spread()
    return f"{number(series.median())}{unit} ({number(least)}–{number(most)})"


def number(figure):
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}"


def put(path, text):
    """Writes the text between the file's markers, or into a file of its own where it has none."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    if BEGIN in old and END in old:
        before, after = old.split(BEGIN, 1)[0], old.split(END, 1)[1]
        text = f"{before}{BEGIN}\n\n{text}\n{END}{after}"
    path.write_text(text, encoding="utf-8")
