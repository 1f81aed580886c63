"""Every part of the full programme, by its name on the command line."""

from full.disk import filled, injected
from full.fuzz import fuzz
from full.part import Script, Tests
from full.peers import peers
from full.power import cut
from full.seeded import seeded
from full.syscalls import syscalls

PARTS = {
    "kills": Tests(
        "`kill -9` of `import`, `run`, `resolve` and `retry`, some twenty in each campaign, begun again until it is done",
        110,
        "kills",
        ("a_campaign_that_is_killed_in_each_of_its_phases_texts_nobody_twice_and_loses_nobody",),
    ),
    "syscalls": Script(
        "each command of a six-row campaign, killed before each system call by which it changes anything",
        3,
        syscalls,
    ),
    "starts": Tests(
        "up to five runs started at one moment, where there is no queue yet, in a file and on a server",
        100,
        "starts_and_stops",
        ("runs_that_start_at_one_moment_import_once_and_send_once",),
    ),
    "stops": Tests(
        "runs stopped past the sell-by of what they had taken, and woken up, in a file and on a server",
        50,
        "starts_and_stops",
        ("a_run_stopped_past_its_sell_by_sends_nothing_twice_and_loses_nothing",),
    ),
    "heartbeats": Tests(
        "runs stopped until another has judged them dead, and woken up",
        50,
        "starts_and_stops",
        ("a_run_stopped_past_its_heartbeat_is_judged_and_tells_late_what_came_of_its_requests",),
    ),
    "storm": Tests(
        "several runs on one server, and six blows: kills, stops, cut connections, a server that falls over, also inside COMMIT",
        84,
        "storm",
        ("a_storm_texts_nobody_twice_and_loses_nobody",),
    ),
    "wire": Tests(
        "about 10,000 requests in chains on one client, fresh and kept connections, each meeting another behaviour of a server of raw TCP",
        2_300,
        "wire",
        ("chain::",),
    ),
    "rows": Tests(
        "campaigns of 60 rows through the whole program, each row meeting another of these behaviours",
        100,
        "wire",
        ("rows::",),
    ),
    "tls": Tests("TLS that breaks off after any byte, in the handshake and behind it", 2_000, "wire", ("tls_cuts::",)),
    "keep-alive": Tests(
        "32 kept connections at once, used again before, while and after their server closes them",
        200,
        "wire",
        ("keep_alive::",),
    ),
    "disk": Script(
        "system calls on the database's files fail under `run` and `import`: once, for a while, or from some moment on for all",
        1_000,
        injected,
    ),
    "full-disk": Script("a small file system that fills up under `run` and `import`", 200, filled),
    "files": Tests(
        "eight things that somebody does to the database's files under a run: deleted, moved, replaced; their lock and log too",
        40,
        "disk",
        ("whatever_somebody_does_to_its_files_a_run_sends_nothing_more_and_tells_all_that_it_knows",),
    ),
    "power": Script(
        "the power is cut at a random moment of an import or a run, and what was not synced is kept, lost or torn by chance",
        500,
        cut,
    ),
    "damaged": Tests(
        "the database's file truncated, with flipped bits, a page lost or misplaced, and used all the same",
        500,
        "damaged",
        ("a_damaged_database_sends_to_nobody_twice_and_doctor_finds_what_sqlite_finds",),
    ),
    "damaged-log": Tests(
        "the log of a killed run truncated, with flipped bits, overwritten, or another queue's, and used all the same",
        100,
        "damaged",
        ("a_damaged_log_is_an_error_or_forgets_what_no_note_knows",),
    ),
    "model": Tests(
        "one row, two runs and an operator in every order of their steps, a row taken once in the first round, twice in the next",
        4,
        "model",
        ("no_order_of_steps_sends_a_row_twice_unasked_or_leaves_it_stuck",),
    ),
    "model-store": Tests(
        "each transaction of that model, made on a real queue in a file and on a server, with every outcome",
        2_745,
        "model_and_store",
        ("each_transaction_of_the_model_is_what_the_store_does",),
    ),
    "hostile": Tests(
        "400 hostile files, each damaged in another way in each round, read to their ends or refused",
        250,
        "corpus",
        ("any_bytes_at_all_get_an_answer",),
    ),
    "fuzz": Script(
        "five fuzz targets look for bytes for which a claim of the readers does not hold; a round is a minute of one",
        60,
        fuzz,
    ),
    "clock": Tests(
        "campaigns with retries whose wall clock is set forward and back, by seconds to 400 days, and whose process is stopped",
        200,
        "clock",
        ("jumps::a_clock_that_is_set_makes",),
    ),
    "clock-hours": Tests(
        "campaigns that keep hours, whose wall clock is set, and the run after",
        100,
        "clock",
        ("jumps::a_clock_that_is_set_stops",),
    ),
    "summer-time": Tests(
        "runs that begin around an edge of summer time, with rows in four zones",
        200,
        "clock",
        ("summer_time::",),
    ),
    "restored": Tests(
        "a run killed up to four times and the backup of a random moment, of a live run too, put back: found but for a quarter second",
        200,
        "restored",
        ("sqlite::a_killed_run_and_a_backup_put_back_text_nobody_twice_and_no_honest_file_is_doubted",),
    ),
    "seeded": Script("seeded bugs, each a patch to a copy of the tree: caught by the tests that it names", 12, seeded),
    "peers": Script(
        "the storm on others: 5 times `kill -9` in a campaign of 300 people, 8 in flight, and begun again",
        20,
        peers,
    ),
}
