-- What a consumer knows beside its cursor, written in the same transaction: windows of correlations
-- over all endpoints.
CREATE TABLE consumer_states (
    consumer TEXT NOT NULL PRIMARY KEY,
    state BLOB NOT NULL
) STRICT, WITHOUT ROWID;
