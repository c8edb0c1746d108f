-- Format 1 of a ledger's file. Times are milliseconds since 1970, UTC; amounts are nanodollars, tokens or calls.

-- One row: whose ledger this is, and where its history stands. `ends` numbers the ends of reservations,
-- `ended_rows` is how many that have ended are kept. `seen_ms` is the highest time, seen when the machine `boot` had been
-- up for `boot_ms`; `clock_sets` is how often an operator said what time it is.
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    format INTEGER NOT NULL,
    ledger TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    boot TEXT,
    boot_ms INTEGER NOT NULL,
    clock_sets INTEGER NOT NULL,
    forgotten_before TEXT NOT NULL,
    ends INTEGER NOT NULL,
    ended_rows INTEGER NOT NULL
) STRICT;

-- What stands on each account. `opening_…` is what was booked there by reservations that are no longer kept, `holds`
-- how many rows of `holds` point here, `crowd` the id of the overflow account of the crowd that it was opened in.
CREATE TABLE accounts (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    window TEXT NOT NULL,
    unit TEXT NOT NULL CHECK (unit IN ('usd', 'tokens', 'calls')),
    start_ms INTEGER NOT NULL,
    end_ms INTEGER,
    settled INTEGER NOT NULL DEFAULT 0 CHECK (settled >= 0),
    presumed INTEGER NOT NULL DEFAULT 0 CHECK (presumed >= 0),
    held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    above_hold INTEGER NOT NULL DEFAULT 0,
    late INTEGER NOT NULL DEFAULT 0,
    forced INTEGER NOT NULL DEFAULT 0,
    charged INTEGER NOT NULL DEFAULT 0,
    last_limit INTEGER,
    shut TEXT CHECK (shut IN ('saturated', 'closed')),
    granted INTEGER NOT NULL DEFAULT 0,
    limits_disagree INTEGER NOT NULL DEFAULT 0,
    opening_settled INTEGER NOT NULL DEFAULT 0 CHECK (opening_settled >= 0),
    opening_presumed INTEGER NOT NULL DEFAULT 0 CHECK (opening_presumed >= 0),
    holds INTEGER NOT NULL DEFAULT 0 CHECK (holds >= 0),
    crowd TEXT,
    CHECK (settled + presumed + held <= 9007199254740991)
) STRICT;
CREATE INDEX accounts_by_scope ON accounts (scope);
CREATE INDEX accounts_by_end ON accounts (end_ms) WHERE end_ms IS NOT NULL AND holds = 0;

-- The latest period that was granted to each line: an account without its period.
CREATE TABLE lines (
    line TEXT PRIMARY KEY,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER
) STRICT, WITHOUT ROWID;

-- How many accounts each crowd has open, by the id of its overflow account.
CREATE TABLE crowds (
    overflow TEXT PRIMARY KEY,
    accounts INTEGER NOT NULL CHECK (accounts >= 0)
) STRICT, WITHOUT ROWID;

-- What became of each id. `verb` is the message that made the row; `ended` is the number of its end.
CREATE TABLE reservations (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    verb TEXT NOT NULL CHECK (verb IN ('reserve', 'settle', 'charge', 'release')),
    state TEXT NOT NULL CHECK (state IN ('held', 'presumed', 'lapsed', 'resolved', 'settled', 'released', 'closed')),
    nonce TEXT,
    lease_ms INTEGER NOT NULL,
    on_expiry TEXT NOT NULL CHECK (on_expiry IN ('presume', 'release')),
    expires_ms INTEGER NOT NULL,
    how TEXT CHECK (how IN ('settled', 'late', 'forced', 'charged')),
    actual_usd INTEGER,
    actual_tokens INTEGER,
    actual_calls INTEGER,
    ended_ms INTEGER NOT NULL,
    ended INTEGER,
    tool TEXT NOT NULL,
    model TEXT,
    tier TEXT,
    agent TEXT,
    session TEXT,
    child TEXT
) STRICT;
CREATE INDEX reservations_held ON reservations (expires_ms) WHERE state = 'held';
CREATE INDEX reservations_presumed ON reservations (id) WHERE state = 'presumed';
CREATE UNIQUE INDEX reservations_ended ON reservations (ended) WHERE ended IS NOT NULL;

-- The parts of each reservation, in its order. `booked` is what stands for it on the account now.
CREATE TABLE holds (
    reservation INTEGER NOT NULL REFERENCES reservations (key),
    place INTEGER NOT NULL,
    account INTEGER NOT NULL REFERENCES accounts (key),
    amount INTEGER NOT NULL,
    most INTEGER,
    booked INTEGER NOT NULL CHECK (booked >= 0),
    PRIMARY KEY (reservation, place)
) STRICT, WITHOUT ROWID;

-- What reservations that are no longer kept had booked, by line, month of their end (UTC), and labels (tool, model,
-- tier). When a line's last account is dropped, its sums go on under its kind of scope.
CREATE TABLE months (
    scope TEXT NOT NULL,
    window TEXT NOT NULL,
    unit TEXT NOT NULL,
    month TEXT NOT NULL,
    labels TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (scope, window, unit, month, labels)
) STRICT, WITHOUT ROWID;

-- What an operator put over the limits of a line.
CREATE TABLE overrides (
    line TEXT PRIMARY KEY,
    raised INTEGER NOT NULL,
    until_ms INTEGER,
    frozen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What operators did.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    verb TEXT NOT NULL,
    target TEXT NOT NULL,
    what TEXT NOT NULL,
    why TEXT NOT NULL,
    by TEXT NOT NULL
) STRICT;
