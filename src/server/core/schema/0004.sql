-- Detection content: versions that were built and signed, what is being built, which endpoints are
-- meant to have which version, and what they say of it.
CREATE TABLE content_versions ( -- body: core/content/<tenant>/<version>.body
    tenant TEXT NOT NULL,
    version INTEGER NOT NULL,    -- ascending; never given out twice
    created_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    origin TEXT NOT NULL,        -- import:NAME, source:NAME, packaged, rollback:VERSION
    note TEXT NOT NULL,
    size INTEGER NOT NULL,       -- bytes of the body
    sha256 BLOB NOT NULL,        -- of the body: equal bodies have equal content
    stmt BLOB NOT NULL,          -- SIGNED CONTENT
    rules INTEGER NOT NULL,
    refused INTEGER NOT NULL,    -- rules the loader refused here; endpoints refuse the same
    report TEXT NOT NULL,        -- JSON of the build
    PRIMARY KEY (tenant, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE content_jobs ( -- a version on its way
    tenant TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    kind TEXT NOT NULL,          -- import, fetch, packaged, rollback
    layer TEXT NOT NULL,
    spec TEXT NOT NULL,          -- fetch: JSON of the source; rollback: the version to return to
    note TEXT NOT NULL,
    actor TEXT NOT NULL,
    follow TEXT NOT NULL,         -- what follows when it is signed: "", canary, all, stable
    state TEXT NOT NULL,         -- uploading ready running signing done failed unchanged
    attempts INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 0,
    text TEXT NOT NULL DEFAULT '',
    report TEXT NOT NULL DEFAULT '',
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX content_jobs_state ON content_jobs (state, created_ms);

CREATE TABLE content_uploads ( -- pieces of an upload, until it is built
    tenant TEXT NOT NULL,
    job BLOB NOT NULL,
    at INTEGER NOT NULL,         -- offset
    data BLOB NOT NULL,
    PRIMARY KEY (tenant, job, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE content_rollouts ( -- which version who is meant to have
    tenant TEXT PRIMARY KEY,
    stable INTEGER NOT NULL,     -- every endpoint, unless …; 0: the package's rules
    candidate INTEGER NOT NULL,  -- … it is in a ring that has the candidate; 0: none
    stage TEXT NOT NULL,         -- idle canary early all returning
    since_ms INTEGER NOT NULL,   -- of the stage
    soak_s INTEGER NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,        -- of the last roll-back
    canary_percent INTEGER NOT NULL DEFAULT 5,
    early_percent INTEGER NOT NULL DEFAULT 25,
    canary_group TEXT NOT NULL DEFAULT 'canary',
    early_group TEXT NOT NULL DEFAULT 'early',
    alert_factor INTEGER NOT NULL DEFAULT 5, -- a ring may raise so many times its usual alerts …
    alert_least INTEGER NOT NULL DEFAULT 20  -- … and this many more
) STRICT, WITHOUT ROWID;

CREATE TABLE content_endpoints ( -- what an endpoint says
    tenant TEXT NOT NULL,
    endpoint BLOB NOT NULL,
    active INTEGER NOT NULL,     -- version that matches now; 0: the package's rules
    tried INTEGER NOT NULL,      -- version the last word was about
    state TEXT NOT NULL,         -- active refused reverted failed
    rules INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    load_ms INTEGER NOT NULL,
    restarts INTEGER NOT NULL,   -- of the engine since that version became active
    error TEXT NOT NULL,
    problems TEXT NOT NULL,      -- JSON array
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, endpoint)
) STRICT, WITHOUT ROWID;

CREATE TABLE content_log ( -- what happened to versions, for people
    tenant TEXT NOT NULL,
    n INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    event TEXT NOT NULL,         -- built published advanced completed rolled-back refused source
    version INTEGER NOT NULL,
    ring TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (tenant, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE content_sources (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,          -- also its layer
    kind TEXT NOT NULL,          -- folder http taxii
    spec TEXT NOT NULL,          -- JSON: url, collection, credentials, private, …
    memory TEXT NOT NULL DEFAULT '{}', -- JSON: etag, added_after: what the last pull left
    every_s INTEGER NOT NULL,
    enabled INTEGER NOT NULL DEFAULT 1,
    actor TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    next_ms INTEGER NOT NULL,
    tried_ms INTEGER NOT NULL DEFAULT 0,
    good_ms INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    items INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE content_trust ( -- whose bundles may be carried in
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 65), -- public root key of that server
    version INTEGER NOT NULL DEFAULT 0,         -- newest that was imported: none older is taken
    added_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
