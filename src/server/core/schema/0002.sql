-- What to do now, beside why.
ALTER TABLE alerts ADD COLUMN advice TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN advice_ja TEXT NOT NULL DEFAULT '';
