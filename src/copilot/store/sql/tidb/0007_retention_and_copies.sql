-- What is kept for some time only. Of lines that are retired their segment says so: their
-- addresses lead to words then, not to an error.
ALTER TABLE log_segments ADD COLUMN IF NOT EXISTS n_retired INT NOT NULL DEFAULT 0;
ALTER TABLE log_segments ADD COLUMN IF NOT EXISTS retired_us BIGINT;
CREATE INDEX IF NOT EXISTS k_source ON evidence (source(64));
CREATE INDEX IF NOT EXISTS k_deleted ON k8s_objects (cluster, deleted_us);
-- Led by time all the same: what people and the co-pilot do is a few rows a minute, no hot spot.
CREATE INDEX IF NOT EXISTS k_ts ON audit_log (ts_us);

-- How far a copy of another store into this one has come; nothing is in it otherwise.
CREATE TABLE IF NOT EXISTS copies ( -- position: JSON, the key of the last row; hash: of all so far
  name VARCHAR(64) PRIMARY KEY, source TEXT NOT NULL, position TEXT NOT NULL, n BIGINT NOT NULL,
  hash VARCHAR(16) NOT NULL, is_done TINYINT NOT NULL)
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
