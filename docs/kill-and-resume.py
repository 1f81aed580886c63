#!/usr/bin/env python3
"""Draws docs/kill-and-resume.svg: a run that is killed, and the next one, as a terminal really shows them.

    cargo build --release && docs/kill-and-resume.py target/release/mep-batch

Needs tmux. Everything happens in a temporary folder, against the stand-in on this machine.
"""

import html, json, os, re, shutil, subprocess, sys, tempfile, time

COLUMNS, ROWS = 80, 60
HERE = os.path.dirname(os.path.abspath(__file__))
KILL_AFTER = 90  # requests
COLOURS = ["#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#c9d1d9"]
CHARACTER, LINE, MARGIN = 8.4, 19, 16


def tmux(*arguments):
    command = ["tmux", "-L", f"mep-batch-{os.getpid()}", "-f", "/dev/null", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def until(what, is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            sys.exit(f"error: waited in vain for {what}:\n{tmux('capture-pane', '-p')}")
        time.sleep(0.05)


def screen():
    return tmux("capture-pane", "-e", "-p").rstrip("\n")


def type_in(command):
    tmux("send-keys", "-l", command)
    tmux("send-keys", "Enter")


def prompts():
    return tmux("capture-pane", "-p").count("\n$")


def record(program, folder):
    receipts = os.path.join(folder, "receipts.ndjson")
    stand_in = subprocess.Popen(
        [program, "simulate", "--json", "--listen", "127.0.0.1:0", "--latency", "150ms..400ms", "--seed", "1", "--receipts", receipts],
        stdout=subprocess.PIPE, text=True, cwd=folder)
    try:
        url = json.loads(stand_in.stdout.readline())["listening"]
        received = lambda: open(receipts).read().count("\n") if os.path.exists(receipts) else 0
        environment = {"HOME": folder, "XDG_DATA_HOME": folder, "PATH": f"{os.path.dirname(program)}:/usr/bin:/bin"}
        # Off the screen, which would be long else.
        subprocess.run([program, "import", "campaign.csv", "--endpoint", url], cwd=folder, env=environment, check=True, capture_output=True)
        # The screen begins with a line feed, so that each prompt stands behind one.
        shell = f"cd {folder}; PS1='$ '; export PS1; unset HISTFILE; clear; echo; exec bash --norc -i"
        tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "env", "-i", "TERM=xterm-256color", "LANG=C.UTF-8",
             *(f"{name}={value}" for name, value in environment.items()), "bash", "--norc", "-c", shell)
        until("a prompt", lambda: prompts() == 1)
        type_in("mep-batch run campaign --concurrency 4")
        until("requests", lambda: received() >= KILL_AFTER)
        shell = tmux("list-panes", "-F", "#{pane_pid}").strip()
        running = subprocess.run(["pgrep", "-P", shell], capture_output=True, text=True, check=True)
        subprocess.run(["kill", "-9", *running.stdout.split()], check=True)
        until("its end", lambda: prompts() == 2)
        type_in("mep-batch run campaign")
        until("the end of the next run", lambda: prompts() == 3, seconds=120)
        shown = screen().replace(folder, "~/.local/share")
        return shown.rsplit("\n", 1)[0].strip("\n"), received()
    finally:
        terminal = subprocess.run(["tmux", "-L", f"mep-batch-{os.getpid()}", "list-panes", "-F", "#{pane_pid}"], capture_output=True, text=True)
        subprocess.run(["tmux", "-L", f"mep-batch-{os.getpid()}", "kill-server"], capture_output=True)
        while any(os.path.exists(f"/proc/{pid}") for pid in terminal.stdout.split()):
            time.sleep(0.05)  # it has files open in the folder
        stand_in.terminate()
        stand_in.wait()


def spans(line):
    """The pieces of a line, each with how it is shown."""
    bold, dim, colour = False, False, None
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not piece.startswith("\x1b"):
            if piece:
                yield piece, bold, dim, colour
            continue
        codes = [int(code or 0) for code in piece[2:-1].split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                bold, dim, colour = False, False, None
            elif code == 1:
                bold = True
            elif code == 2:
                dim = True
            elif code == 22:
                bold, dim = False, False
            elif 30 <= code <= 37 or 90 <= code <= 97:
                colour = COLOURS[code % 10]
            elif code == 39:
                colour = None
            elif code in (38, 48):
                kind = codes.pop(0) if codes else 5
                taken = [codes.pop(0) for _ in range(min(len(codes), 1 if kind == 5 else 3))]
                if code == 38 and kind == 5 and taken:
                    colour = COLOURS[taken[0] % 8] if taken[0] < 16 else COLOURS[7]


def svg(text):
    lines = text.split("\n")
    width, height = round(COLUMNS * CHARACTER + 2 * MARGIN), len(lines) * LINE + 2 * MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
           "<title>A run is killed; the next one tells which rows are unknown and sends the rest</title>",
           f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
           '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="#c9d1d9">']
    for number, line in enumerate(lines):
        y, column = MARGIN + LINE * (number + 1) - 5, 0
        for piece, bold, dim, colour in spans(line):
            style = (' font-weight="bold"' if bold or line.startswith("$ ") else "") + (' opacity=".7"' if dim else "")
            style += f' fill="{colour}"' if colour else ""
            x, length = MARGIN + column * CHARACTER, len(piece) * CHARACTER
            # Browsers differ in what they make of several spaces in a row; none drops these.
            text = html.escape(piece).replace(" ", "\N{NO-BREAK SPACE}")
            out.append(f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}"{style}>{text}</text>')
            column += len(piece)
    return "\n".join([*out, "</g>", "</svg>", ""])


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../target/release/mep-batch"))
    with tempfile.TemporaryDirectory(prefix="q") as folder:
        shutil.copy(os.path.join(HERE, "../samples/campaign.csv"), folder)
        text, received = record(program, folder)
    with open(os.path.join(HERE, "kill-and-resume.svg"), "w") as file:
        file.write(svg(text))
    print(re.sub(r"\x1b\[[0-9;]*m", "", text))
    print(f"\n({received} requests were received)")


main()
