-- What is kept for some time only. Of lines that are retired their segment says so: their
-- addresses lead to words then, not to an error.
ALTER TABLE log_segments ADD COLUMN n_retired INT NOT NULL DEFAULT 0;
ALTER TABLE log_segments ADD COLUMN retired_us BIGINT;
CREATE INDEX k_source ON evidence (source(64));
CREATE INDEX k_deleted ON k8s_objects (cluster, deleted_us);
