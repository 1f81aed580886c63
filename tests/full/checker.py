"""The checker of the tests (tests/checker.rs), for parts that are no test of `cargo test`."""

import json
import os
import subprocess

from full.part import ROOT, Failed


class Checker:
    """Judges a database by what is stored, what was received and what went in."""

    def __init__(self):
        words = ["cargo", "test", "--quiet", "--no-run", "--test", "checker", "--message-format=json"]
        built = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        told = [json.loads(line) for line in built.stdout.splitlines()]
        found = [line["executable"] for line in told if line.get("target", {}).get("name") == "checker" and line.get("executable")]
        self.program = found[-1]

    def judge(self, database, receipts, files, rows):
        """Fails with what is violated. Nothing may be alive any more, and a last `run` has ended."""
        environment = {
            **os.environ,
            "MEP_BATCH_AUDIT_DB": str(database),
            "MEP_BATCH_AUDIT_RECEIPTS": ":".join(map(str, receipts)),
            "MEP_BATCH_AUDIT_FILES": ":".join(map(str, files)),
            "MEP_BATCH_AUDIT_ROWS": str(rows),
        }
        done = subprocess.run([self.program], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{database} does not hold what was promised:\n{done.stdout}{done.stderr}")
