-- Stories: the alerts of one attack as one item. A story belongs to one endpoint and owns the keys
-- of the processes of its trees, so that the next alert finds it by any of them.
CREATE TABLE stories (
    tenant TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16), -- that of its first alert
    endpoint BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    first_ns INTEGER NOT NULL, -- endpoint's wall clock, of the first and the last alert's event
    last_ns INTEGER NOT NULL,
    severity INTEGER NOT NULL, -- of its worst alert that still counts; 0: none counts
    risk INTEGER NOT NULL,     -- 0..100, docs/modules/stories.md
    alerts INTEGER NOT NULL,
    rules INTEGER NOT NULL,
    lead BLOB NOT NULL,        -- the alert that speaks for it: the worst, then the first
    techniques TEXT NOT NULL,
    tactics TEXT NOT NULL,
    merged_into BLOB,          -- a story that turned out to be the same attack
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX stories_time ON stories (tenant, last_ns);

CREATE TABLE story_keys (
    tenant TEXT NOT NULL,
    endpoint BLOB NOT NULL,
    key INTEGER NOT NULL,
    story BLOB NOT NULL,
    PRIMARY KEY (tenant, endpoint, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX story_keys_story ON story_keys (tenant, story);

ALTER TABLE alerts ADD COLUMN story BLOB;
CREATE INDEX alerts_story ON alerts (tenant, story);

-- What was there before: one story a tree. Risk by severity until something changes in it.
INSERT INTO stories (tenant, id, endpoint, created_ms, first_ns, last_ns, severity, risk, alerts, rules, lead, techniques, tactics)
    SELECT tenant, min(id), endpoint, min(created_ms), min(event_ns), max(event_ns), max(severity),
        CASE max(severity) WHEN 5 THEN 75 WHEN 4 THEN 50 WHEN 3 THEN 25 WHEN 2 THEN 8 ELSE 2 END,
        count(*), count(DISTINCT rule_id), min(id), '', ''
    FROM alerts WHERE tree_key <> 0 GROUP BY tenant, endpoint, tree_key;
INSERT INTO stories (tenant, id, endpoint, created_ms, first_ns, last_ns, severity, risk, alerts, rules, lead, techniques, tactics)
    SELECT tenant, id, endpoint, created_ms, event_ns, event_ns, severity,
        CASE severity WHEN 5 THEN 75 WHEN 4 THEN 50 WHEN 3 THEN 25 WHEN 2 THEN 8 ELSE 2 END, 1, 1, id, techniques, tactics
    FROM alerts WHERE tree_key = 0;
INSERT INTO story_keys (tenant, endpoint, key, story)
    SELECT tenant, endpoint, tree_key, min(id) FROM alerts WHERE tree_key <> 0 GROUP BY tenant, endpoint, tree_key;
UPDATE alerts SET story = CASE tree_key WHEN 0 THEN id ELSE
    (SELECT k.story FROM story_keys k WHERE k.tenant = alerts.tenant AND k.endpoint = alerts.endpoint AND k.key = alerts.tree_key) END;

-- Exceptions: what is known and accepted. They dismiss alerts as they come, with everything kept.
CREATE TABLE exceptions (
    tenant TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    title TEXT NOT NULL,
    rule_id TEXT NOT NULL DEFAULT '',   -- '': any rule
    grp TEXT NOT NULL DEFAULT '',       -- '': any group
    endpoint BLOB,                      -- NULL: any endpoint
    conditions TEXT NOT NULL,           -- JSON object, the searches of a Sigma detection; '{}': none
    reason TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    ended_ms INTEGER,                   -- ended by hand before it expired
    ended_by TEXT NOT NULL DEFAULT '',
    hits INTEGER NOT NULL DEFAULT 0,
    last_hit_ms INTEGER,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
ALTER TABLE alerts ADD COLUMN exception BLOB; -- the one that dismissed it
