-- What is kept for some time only. Of lines that are retired their segment says so: their
-- addresses lead to words then, not to an error.
ALTER TABLE log_segments ADD COLUMN n_retired INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log_segments ADD COLUMN retired_us INTEGER;
CREATE INDEX evidence_k_source ON evidence (source);
CREATE INDEX k8s_objects_k_deleted ON k8s_objects (cluster, deleted_us);

-- How far a copy of another store into this one has come; nothing is in it otherwise.
CREATE TABLE copies ( -- position: JSON, the key of the last row; hash: of all so far
  name TEXT PRIMARY KEY, source TEXT NOT NULL, position TEXT NOT NULL, n INTEGER NOT NULL,
  hash TEXT NOT NULL, is_done INTEGER NOT NULL) STRICT, WITHOUT ROWID;
