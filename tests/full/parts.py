"""Every part of the full programme, by its name on the command line."""

from full.part import Tests

PARTS = {
    "kills": Tests(
        "`kill -9` of a run at random moments, begun again until it is done",
        2_000,
        "resume",
        ("a_run_killed_at_random_moments_sends_no_row_twice_and_loses_none",),
    ),
}
