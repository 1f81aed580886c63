-- The queue: batches, their invocations, every attempt, the runs that made them, and who did what.
--
-- Times are milliseconds since 1970-01-01T00:00:00Z. What is hot (state, due time, run) is in `invocation`, narrow;
-- what is wide and never changes (the body) is in `content`, so that a change of state rewrites little.

-- Which database this is: known again by the notes that each run leaves with its user, wherever it lies and whatever its name.
CREATE TABLE identity (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    id  TEXT   NOT NULL                       -- random; a copy has the same, and a new one where no note speaks of it any more
);
INSERT INTO identity (one, id) VALUES (1, lower(hex(randomblob(16))));

-- One imported file for one service at one endpoint.
CREATE TABLE batch (
    id            INTEGER PRIMARY KEY,
    name          TEXT    UNIQUE,             -- NULL while it is being imported: no command sees it before
    service_id    TEXT    NOT NULL,
    endpoint      TEXT    NOT NULL,           -- production, cie, simulator or a base URL
    account       TEXT    NOT NULL,           -- whose credentials; empty where none are needed or none was named yet
    source_name   TEXT    NOT NULL,           -- the file as the operator named it; `-` for stdin
    source_sha256 TEXT    NOT NULL,           -- of the whole content
    columns       TEXT    NOT NULL,           -- JSON array of mapped names, in the file's order
    settings      TEXT    NOT NULL,           -- JSON object: rate, retries, limits
    findings      TEXT    NOT NULL,           -- JSON object: what the import found out, such as its phone numbers by country
    history       TEXT    NOT NULL DEFAULT '', -- which server it was imported into, as in `run`
    row_count     BIGINT,                     -- rows in the file, counted by the importer alone
    imported_at   BIGINT,
    confirmed_at  BIGINT,                     -- NULL: nothing is sent; an operator has to confirm the number first
    paused_at     BIGINT,                     -- since when nothing more of it is taken, until an operator resumes it
    cancelled_at  BIGINT,                     -- when an operator withdrew it: whatever would become pending becomes cancelled
    throttle      DOUBLE PRECISION,           -- requests a second that an operator holds it to, instead of its settings' rate
    purge_began_at BIGINT,                    -- since when a purge makes its numbers and texts unreadable: nothing of it is ever sent again
    purge_how      TEXT,                      -- what that purge does
    purged_at      BIGINT,                    -- when it had, and their bytes were gone from the database
    CHECK ((name IS NULL) = (imported_at IS NULL)),
    CHECK ((name IS NULL) = (row_count IS NULL)),
    CHECK (confirmed_at IS NULL OR name IS NOT NULL),
    CHECK (throttle > 0),
    CHECK (purge_how IN ('redact', 'delete')),
    CHECK ((purge_how IS NULL) = (purge_began_at IS NULL)),
    CHECK (purged_at IS NULL OR purge_began_at IS NOT NULL)
);

-- One process that sends. A random token tells it from any other, on this machine or another.
CREATE TABLE run (
    id         INTEGER PRIMARY KEY,
    token      TEXT    NOT NULL UNIQUE,
    who        TEXT    NOT NULL,              -- who started it
    host       TEXT    NOT NULL,
    pid        BIGINT  NOT NULL,
    version    TEXT    NOT NULL,
    history    TEXT    NOT NULL,              -- which server it is sent from, and which of its histories; empty: a file
    started_at BIGINT  NOT NULL,
    sends      TEXT,                          -- the batches that it was started for, as ',1,4,'; NULL: each that there is
    turn       BIGINT  NOT NULL DEFAULT 0,    -- the last turn that committed: witness of a commit whose answer was lost
    turned_at  BIGINT  NOT NULL,              -- when it did
    beat       BIGINT  NOT NULL DEFAULT 0,    -- the heartbeat, raised while several runs share the queue; compared, never timed
    beat_at    BIGINT  NOT NULL,              -- when it was raised last: for people to read
    ended_at   BIGINT,                        -- set by itself, or by whoever proved it dead
    ended_how  TEXT,
    rate       DOUBLE PRECISION NOT NULL DEFAULT 0, -- outcomes a second of late, as it counts them itself: for people to read
    CHECK ((ended_at IS NULL) = (ended_how IS NULL))
);
-- Those that live, or may: every run looks for them each second.
CREATE INDEX run_open ON run (id) WHERE ended_at IS NULL;

-- One row of a batch. Its run, and an attempt's row and run, are no foreign keys: a turn would look for each of them though it
-- has just read them, and runs are never deleted. `doctor` counts attempts without either.
CREATE TABLE invocation (
    id                 INTEGER PRIMARY KEY,   -- batch_id * 2^32 + line, so that a row is found without an index
    batch_id           BIGINT  NOT NULL,      -- no foreign key: deleting a batch would look for its rows without an index
    line               BIGINT  NOT NULL,
    state              TEXT    NOT NULL,
    due_at             BIGINT  NOT NULL DEFAULT 0,    -- not before this; 0 until the first retry
    attempt            BIGINT  NOT NULL DEFAULT 0,    -- number of the last attempt; only grows
    tries              BIGINT  NOT NULL DEFAULT 0,    -- what the backoff counts; starts anew at an operator's retry or resolve
    retry_until        BIGINT,
    possible_duplicate BIGINT  NOT NULL DEFAULT 0,    -- 1: an earlier attempt may have texted the person already
    run_id             BIGINT,                        -- who made the last attempt
    taken_at           BIGINT,                        -- when the last attempt was committed
    finished_at        BIGINT,                        -- when the outcome of the last attempt, or the refusal, was known
    http_status        BIGINT,
    code               BIGINT,
    message            TEXT,                          -- why it is rejected, failed, unknown or skipped
    refused_by         TEXT,
    request_id         TEXT,
    reason             TEXT,                          -- the kind of a skip, or of a refusal that another row is the cause of
    hold               TEXT,                          -- why a pending row was put off to its due time, but for a retry
    CHECK (id = batch_id * 4294967296 + line),
    CHECK (line BETWEEN 1 AND 4294967295),
    CHECK (attempt >= 0 AND tries >= 0 AND possible_duplicate IN (0, 1)),
    CHECK ((attempt = 0) = (run_id IS NULL) AND (attempt = 0) = (taken_at IS NULL)),
    -- What belongs to each state. One choice and not a rule for each column: it is made for every row that changes its state.
    CHECK (CASE state
        WHEN 'pending'   THEN request_id IS NULL AND refused_by IS NULL AND reason IS NULL
        WHEN 'sending'   THEN request_id IS NULL AND refused_by IS NULL AND reason IS NULL AND attempt > 0
        WHEN 'accepted'  THEN finished_at IS NOT NULL AND reason IS NULL AND attempt > 0
        WHEN 'rejected'  THEN finished_at IS NOT NULL AND message IS NOT NULL AND refused_by IS NOT NULL
        WHEN 'failed'    THEN finished_at IS NOT NULL AND message IS NOT NULL AND reason IS NULL AND attempt > 0
        WHEN 'unknown'   THEN finished_at IS NOT NULL AND message IS NOT NULL AND reason IS NULL AND attempt > 0
        WHEN 'skipped'   THEN finished_at IS NOT NULL AND reason IS NOT NULL
        WHEN 'cancelled' THEN finished_at IS NOT NULL AND reason IS NULL
        ELSE 1 = 0 END),
    CHECK (refused_by IS NULL OR refused_by IN ('mep-batch', 'service')),
    CHECK (reason IS NULL OR reason IN ('duplicate', 'already-sent', 'suppressed', 'expired')),
    CHECK (hold IS NULL OR (hold IN ('window', 'time-zone') AND state = 'pending'))
);

-- What is due, and why it was put off: the only index that a change to a final state touches, but for the rare ones below.
CREATE INDEX invocation_pending ON invocation (batch_id, due_at, id, hold) WHERE state = 'pending';
-- What is on the wire: at most one row for each slot.
CREATE INDEX invocation_sending ON invocation (run_id) WHERE state = 'sending';
-- What a person must decide.
CREATE INDEX invocation_unknown ON invocation (batch_id, id) WHERE state = 'unknown';
-- What may have been texted twice: rarely any, and `status` counts them.
CREATE INDEX invocation_possible_duplicate ON invocation (batch_id) WHERE possible_duplicate = 1;
-- What was not sent because its time had passed: `status` counts it.
CREATE INDEX invocation_expired ON invocation (batch_id) WHERE reason = 'expired';

-- What a row says: written once, at import, and made unreadable once, by a purge.
CREATE TABLE content (
    invocation_id INTEGER PRIMARY KEY,        -- no foreign key: an import would look for each row that it has just written
    body          TEXT,                       -- sent byte for byte; NULL for a row that this tool refused, or that was purged
    phone         BIGINT,                     -- the cleaned number
    time_zone     TEXT,                       -- the recipient's, as given
    cells         TEXT,                       -- JSON array of [column, text]: the cells of a refused row, as they came
    purged_at     BIGINT,                     -- when all of that was made unreadable
    body_sha256   TEXT,                       -- of the body that was, in hex: who has the file can prove what was sent
    CHECK ((body IS NULL) = (phone IS NULL)),
    CHECK (purged_at IS NOT NULL OR (body IS NULL) = (cells IS NOT NULL)),
    CHECK (purged_at IS NULL OR (body IS NULL AND time_zone IS NULL AND cells IS NULL)),
    CHECK (body_sha256 IS NULL OR purged_at IS NOT NULL)
);

-- What every row that can be sent says, by number, so that who was told already is found without reading the rows.
-- No index of `content`: kept up row by row it would rewrite a page of millions of rows for each. An import fills it at
-- its end, in the order of the numbers.
CREATE TABLE fingerprint (
    phone         BIGINT NOT NULL,            -- 0: the row was purged, and is found by what it asked for alone
    request_hash  BIGINT NOT NULL,            -- of what the body asks for, the number with it, whatever the order of its keys
    invocation_id BIGINT NOT NULL,            -- no foreign key: deleting a row would look for it without an index
    PRIMARY KEY (phone, request_hash, invocation_id)
) WITHOUT ROWID;

-- One request on the wire, or one that was taken and provably not sent. Written once, when its outcome is known.
CREATE TABLE attempt (
    invocation_id BIGINT NOT NULL,
    number        BIGINT NOT NULL,
    run_id        BIGINT NOT NULL,
    taken_at      BIGINT NOT NULL,            -- when it was committed: before this moment nothing was written
    sent_at       BIGINT,                     -- when its request was started; NULL where nothing was written
    finished_at   BIGINT NOT NULL,
    outcome       TEXT   NOT NULL,
    http_status   BIGINT,
    code          BIGINT,
    message       TEXT,
    request_id    TEXT,
    answer        BLOB,                       -- the start of the answer's body, as it came
    judged        BIGINT NOT NULL DEFAULT 0,  -- 1: written by whoever found its run dead, as unknown
    late          BIGINT NOT NULL DEFAULT 0,  -- 1: that run lived after all, and this is what came of it
    PRIMARY KEY (invocation_id, number),
    CHECK (number > 0),
    CHECK (judged IN (0, 1) AND late IN (0, judged)),
    -- Apart from the others because SQLite makes a table of such a list for every row that it is held against.
    CHECK (outcome = 'accepted'
           OR outcome IN ('rejected', 'failed', 'retry', 'throttled', 'unreached', 'misconfigured', 'unknown', 'foreign',
                          'given-back', 'skipped'))
) WITHOUT ROWID;

-- What came of attempts whose run was thought dead: rarely any, and `status` looks for rows that were texted twice.
CREATE INDEX attempt_late ON attempt (invocation_id, number) WHERE late = 1;
-- What a run that was thought dead has not told of: it asks for it when it wakes up.
CREATE INDEX attempt_judged ON attempt (run_id) WHERE judged = 1 AND late = 0;

-- How many invocations are in each state: kept by each transaction that changes a state, in that transaction.
CREATE TABLE state_count (
    batch_id    BIGINT NOT NULL REFERENCES batch (id),
    state       TEXT   NOT NULL,
    invocations BIGINT NOT NULL,
    PRIMARY KEY (batch_id, state),
    CHECK (invocations >= 0)
) WITHOUT ROWID;

-- The gate of an endpoint and account, and the rate that all who send there share.
CREATE TABLE gate (
    id             INTEGER PRIMARY KEY,
    endpoint       TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    closed_until   BIGINT,                    -- NULL: open; else when the next probe may go
    closed_because TEXT,
    probe_id       BIGINT,                    -- the row that is sent to see whether it can be opened again
    failed_probes  BIGINT  NOT NULL DEFAULT 0,
    recent         BIGINT  NOT NULL DEFAULT 0, -- the last 20 outcomes, a bit each, the newest lowest; 1: ambiguous
    next_send_us   BIGINT  NOT NULL DEFAULT 0, -- when the rate's next token is due, in microseconds
    period_us      BIGINT  NOT NULL DEFAULT 0, -- the time between two tokens of the slowest who sent there lately
    paced_at_us    BIGINT  NOT NULL DEFAULT 0, -- when they did
    stops          BIGINT  NOT NULL DEFAULT 0, -- how often a fault stopped all runs that send there
    stopped_by     TEXT,                      -- the last such fault
    UNIQUE (endpoint, account),
    CHECK ((closed_until IS NULL) = (closed_because IS NULL)),
    CHECK (closed_because IN ('throttled', 'unreachable', 'ambiguous')),
    CHECK (probe_id IS NULL OR closed_until IS NOT NULL),
    CHECK ((stops = 0) = (stopped_by IS NULL))
);

-- What an operator did: who, where, with which version, when and why.
CREATE TABLE action (
    id       INTEGER PRIMARY KEY,
    batch_id BIGINT  REFERENCES batch (id),   -- NULL: the batch was deleted by it
    kind     TEXT    NOT NULL,
    at       BIGINT  NOT NULL,
    who      TEXT    NOT NULL,
    host     TEXT    NOT NULL,
    version  TEXT    NOT NULL,
    reason   TEXT,
    detail   TEXT    NOT NULL,                -- JSON object
    CHECK (kind IN ('import', 'confirm', 'canary', 'run', 'settings', 'pause', 'resume', 'cancel', 'throttle', 'retry',
                    'resolve', 'rolled-back', 'purge')),
    CHECK (batch_id IS NOT NULL OR kind = 'purge')
);
CREATE INDEX action_batch ON action (batch_id, id);

-- The rows that an action changed.
CREATE TABLE action_row (
    invocation_id BIGINT NOT NULL REFERENCES invocation (id),
    action_id     BIGINT NOT NULL REFERENCES action (id),
    was           TEXT   NOT NULL,            -- the state before
    became        TEXT   NOT NULL,            -- the state after
    attempt       BIGINT NOT NULL,            -- the last attempt at that time
    PRIMARY KEY (invocation_id, action_id)
) WITHOUT ROWID;
