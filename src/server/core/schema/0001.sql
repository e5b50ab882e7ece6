-- The control database: everything that is not telemetry. SQLite, WAL, STRICT; in the subset that
-- PostgreSQL shares (types aside). Two processes open it: core and api (docs/adr/0005).
--
-- tenant is the first column of every key. Times are milliseconds (…_ms) or nanoseconds (…_ns)
-- since 1970 unless said; 64-bit keys are stored as the signed integer with the same bits; ids are
-- 16 raw bytes. Secrets are stored only as hashes.
CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoints (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT NOT NULL,
    grp TEXT NOT NULL DEFAULT '',
    practice INTEGER NOT NULL DEFAULT 0,
    os TEXT NOT NULL DEFAULT '',
    kernel TEXT NOT NULL DEFAULT '',
    agent_version TEXT NOT NULL DEFAULT '',
    key_sha256 BLOB NOT NULL,
    serial BLOB NOT NULL,
    owner TEXT NOT NULL DEFAULT '',
    department TEXT NOT NULL DEFAULT '',
    asset_no TEXT NOT NULL DEFAULT '',
    enrolled_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    connected INTEGER NOT NULL DEFAULT 0,
    revoked_ms INTEGER,                      -- NULL: not revoked
    sensors TEXT,                            -- JSON as the agent sent it (agent/sensors)
    epoch INTEGER NOT NULL DEFAULT 0,        -- newest seen
    boot INTEGER NOT NULL DEFAULT 0,
    order_counter INTEGER NOT NULL DEFAULT 0, -- last one given out
    isolation TEXT NOT NULL DEFAULT 'none',  -- none pending isolated failed
    isolation_since_ms INTEGER,
    isolation_until_ms INTEGER,
    isolation_probes TEXT,                   -- JSON array
    losses INTEGER NOT NULL DEFAULT 0,
    last_loss_ms INTEGER,
    events INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX endpoints_id ON endpoints (id); -- the certificate names the id alone

CREATE TABLE enroll_tokens (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    id BLOB NOT NULL,
    hash BLOB NOT NULL UNIQUE, -- SHA-256 of the token: 192 random bits need no slow hash
    grp TEXT NOT NULL,
    uses INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    actor TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    hash TEXT NOT NULL, -- argon2id, libsodium's string
    role TEXT NOT NULL,
    must_change INTEGER NOT NULL,
    language TEXT NOT NULL DEFAULT '',
    created_ms INTEGER NOT NULL,
    last_login_ms INTEGER,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX users_name ON users (name); -- a name signs in without saying its tenant

CREATE TABLE sessions (
    hash BLOB PRIMARY KEY, -- SHA-256 of the cookie
    tenant TEXT NOT NULL,
    user TEXT NOT NULL,
    csrf TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_tokens (
    hash BLOB PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER, -- NULL: does not expire
    revoked_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
    tenant TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    endpoint BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'NEW',
    severity INTEGER NOT NULL,
    rule_id TEXT NOT NULL,
    rule_version INTEGER NOT NULL,
    title TEXT NOT NULL,
    title_ja TEXT NOT NULL,
    reason TEXT NOT NULL,
    reason_ja TEXT NOT NULL,
    techniques TEXT NOT NULL,
    tactics TEXT NOT NULL,
    event_ns INTEGER NOT NULL,    -- endpoint's wall clock
    received_ns INTEGER NOT NULL, -- server's clock when its batch was stored
    created_ms INTEGER NOT NULL,  -- when this row was made
    tree_key INTEGER NOT NULL,
    process_key INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    image TEXT NOT NULL,
    command_line TEXT NOT NULL,
    user TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    event_seq INTEGER NOT NULL,
    count INTEGER NOT NULL DEFAULT 1,
    evidence TEXT NOT NULL,       -- JSON array of events: the deciding one, then the ancestors
    nodes_dropped INTEGER NOT NULL DEFAULT 0, -- what the tree had no room for
    events_dropped INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_time ON alerts (tenant, received_ns);
CREATE INDEX alerts_endpoint ON alerts (tenant, endpoint, received_ns);

CREATE TABLE alert_history ( -- every change of state: the milestones of the 30-minute clock
    tenant TEXT NOT NULL,
    alert BLOB NOT NULL,
    n INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (tenant, alert, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert_nodes ( -- the process tree of an alert, kept up while the alert is young
    tenant TEXT NOT NULL,
    alert BLOB NOT NULL,
    key INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    ancestor INTEGER NOT NULL,  -- 0: in the tree; 1, 2 …: above its root, nearest first
    marked INTEGER NOT NULL,    -- 1: the process that raised the alert
    pid INTEGER NOT NULL,
    image TEXT NOT NULL,
    command_line TEXT NOT NULL,
    user TEXT NOT NULL,
    sha256 BLOB,
    stdio TEXT NOT NULL,        -- "socket,socket,socket 198.51.100.7:4444"
    start_ns INTEGER NOT NULL,  -- endpoint's wall clock, 0 unknown
    exit_ns INTEGER,            -- NULL: alive as far as is known
    exit_code INTEGER,
    exit_signal INTEGER,
    PRIMARY KEY (tenant, alert, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert_events ( -- time line: events of the processes of the tree
    tenant TEXT NOT NULL,
    alert BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    key INTEGER NOT NULL,
    class INTEGER NOT NULL,
    action INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    json TEXT NOT NULL,         -- hm_event_to_json
    PRIMARY KEY (tenant, alert, epoch, boot, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    tenant TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    endpoint BLOB NOT NULL,
    kind TEXT NOT NULL,         -- wire/order.c: kill isolate release drill
    state TEXT NOT NULL,        -- requested signed sent begun done refused failed expired
    counter INTEGER,            -- NULL until signed
    process_key INTEGER NOT NULL DEFAULT 0,
    tree INTEGER NOT NULL DEFAULT 0,
    alert BLOB,
    drill TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '', -- JSON from the endpoint, or {"error":…} from core
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    not_after_ms INTEGER NOT NULL,
    release_ms INTEGER,
    stmt BLOB,                  -- SIGNED ORDER
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_state ON orders (state, tenant, endpoint);
CREATE INDEX orders_time ON orders (tenant, created_ms);

CREATE TABLE audit ( -- append only; hash = SHA-256(prev hash and every column), see audit.c
    seq INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_tenant ON audit (tenant, seq);

CREATE TABLE cursors ( -- consumers of the gateway journal
    consumer TEXT PRIMARY KEY,
    next INTEGER NOT NULL -- first record not yet consumed
) STRICT, WITHOUT ROWID;

CREATE TABLE crashes ( -- a record that a consumer was working on when it crashed
    consumer TEXT NOT NULL,
    record INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (consumer, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE set_aside ( -- records that a consumer skips
    consumer TEXT NOT NULL,
    record INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (consumer, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE segments ( -- Parquet files: store/<tenant>/<file>
    tenant TEXT NOT NULL,
    file TEXT NOT NULL,           -- "2026-11-21/17.parquet"
    first_record INTEGER NOT NULL, -- journal range it was made from
    next_record INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    from_ns INTEGER NOT NULL,     -- range of the column "time"
    to_ns INTEGER NOT NULL,
    state TEXT NOT NULL,          -- live; suspect: a reader failed on it; lost: damaged, and the journal no longer has it
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, file)
) STRICT, WITHOUT ROWID;
CREATE INDEX segments_time ON segments (tenant, to_ns);

CREATE TABLE event_minutes ( -- for the overview
    tenant TEXT NOT NULL,
    minute INTEGER NOT NULL, -- minutes since 1970, server's clock
    events INTEGER NOT NULL,
    PRIMARY KEY (tenant, minute)
) STRICT, WITHOUT ROWID;
