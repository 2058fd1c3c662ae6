-- What is kept for some time only. Of lines that are retired their segment says so: their
-- addresses lead to words then, not to an error.
ALTER TABLE log_segments ADD COLUMN n_retired INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log_segments ADD COLUMN retired_us INTEGER;
CREATE INDEX evidence_k_source ON evidence (source);
CREATE INDEX k8s_objects_k_deleted ON k8s_objects (cluster, deleted_us);
