"""The peer of `import`: stores the cells of a CSV file in a SQLite table, fast, and checks nothing.

store_csv.py FILE DATABASE
"""

import csv
import itertools
import sqlite3
import sys

ROWS_A_TRANSACTION = 10_000


def main():
    file, path = sys.argv[1:]
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
    with open(file, newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        columns = ", ".join(f'"{name}" TEXT' for name in next(reader))
        database.execute(f"CREATE TABLE invocation (id INTEGER PRIMARY KEY, state TEXT DEFAULT 'pending', {columns})")
        insert = f"INSERT INTO invocation VALUES (NULL, 'pending', {', '.join('?' * (columns.count(',') + 1))})"
        while chunk := list(itertools.islice(reader, ROWS_A_TRANSACTION)):
            database.execute("BEGIN")
            database.executemany(insert, chunk)
            database.execute("COMMIT")
    database.close()


main()
