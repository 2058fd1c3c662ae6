-- The schema of the store in the dialect of TiDB, which MariaDB reads as well.
-- Printed by `incident-copilot schema` from the migrations; do not edit.

CREATE TABLE IF NOT EXISTS schema_migrations (
  version INT PRIMARY KEY, name VARCHAR(128) NOT NULL, checksum BINARY(32) NOT NULL,
  applied_us BIGINT NOT NULL) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS schema_steps (
  version INT NOT NULL, step INT NOT NULL, PRIMARY KEY (version, step));

CREATE TABLE IF NOT EXISTS schema_lease (
  name VARCHAR(16) PRIMARY KEY, owner VARCHAR(64) NOT NULL, until_us BIGINT NOT NULL) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- 0001_base
-- Times end in _us: epoch microseconds UTC. severity: OpenTelemetry 1-24, 0 for "not said".
-- Ids say which row, never which came first. Columns are those of SQLite's file of this number.
--
-- No index leads with time alone: on TiDB every write would go to its end. Tables parted by day hold
-- what is dropped by day; `pmax` takes what lies beyond the last day until that is made.

-- Telemetry: lines as blocks, what matters as rows, counts for every template.

CREATE TABLE IF NOT EXISTS streams (
  id BIGINT PRIMARY KEY /*!80000 AUTO_RANDOM(5, 54) */ /*M! AUTO_INCREMENT */,
  ident BINARY(16) NOT NULL, -- hash of the label set
  cluster VARCHAR(64) NOT NULL, namespace VARCHAR(63) NOT NULL, app VARCHAR(128) NOT NULL,
  pod VARCHAR(253) NOT NULL, container VARCHAR(63) NOT NULL DEFAULT '',
  node VARCHAR(253) NOT NULL DEFAULT '', last_seen_us BIGINT NOT NULL,
  last_line_us BIGINT NOT NULL DEFAULT 0,
  UNIQUE KEY uk_ident (ident), KEY k_pod (namespace, pod, container),
  KEY k_app (namespace, app)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS templates (
  id BIGINT PRIMARY KEY /*!80000 AUTO_RANDOM(5, 54) */ /*M! AUTO_INCREMENT */,
  fingerprint BINARY(16) NOT NULL, severity SMALLINT NOT NULL, pattern TEXT NOT NULL,
  first_us BIGINT NOT NULL, last_us BIGINT NOT NULL,
  UNIQUE KEY uk_fp (fingerprint)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS template_counts ( -- in buckets of 10 s
  template_id BIGINT NOT NULL, stream_id BIGINT NOT NULL, bucket_us BIGINT NOT NULL,
  n BIGINT NOT NULL, segment_id BIGINT NOT NULL, line INT NOT NULL, -- address of the last one
  PRIMARY KEY (template_id, stream_id, bucket_us) /*!80000 CLUSTERED */,
  KEY k_stream (stream_id, bucket_us)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS raw_events ( -- the row tier: what can be evidence by itself
  id BIGINT NOT NULL /*!80000 AUTO_RANDOM(5, 54) */ /*M! AUTO_INCREMENT */,
  ts_us BIGINT NOT NULL, stream_id BIGINT NOT NULL,
  template_id BIGINT NOT NULL DEFAULT 0, -- 0: not a log line
  type VARCHAR(16) NOT NULL, severity SMALLINT NOT NULL, reason VARCHAR(128) NOT NULL DEFAULT '',
  uid VARCHAR(320), -- of a Kubernetes event, or the key of another system's alert
  count BIGINT NOT NULL DEFAULT 1,
  object_kind VARCHAR(63) NOT NULL DEFAULT '', object_namespace VARCHAR(63) NOT NULL DEFAULT '',
  object_name VARCHAR(253) NOT NULL DEFAULT '', object_uid VARCHAR(64) NOT NULL DEFAULT '',
  segment_id BIGINT, line INT, -- address of a log line
  body_text TEXT NOT NULL, body_json MEDIUMTEXT,
  PRIMARY KEY (id, ts_us) /*!80000 CLUSTERED */,
  KEY k_stream (stream_id, ts_us), KEY k_object (object_name, ts_us),
  KEY k_object_uid (object_uid), KEY k_uid (uid), KEY k_line (segment_id, line))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  PARTITION BY RANGE (ts_us) (PARTITION pmax VALUES LESS THAN (MAXVALUE));

CREATE TABLE IF NOT EXISTS raw_event_terms ( -- the words of events; SQLite has FTS5
  term VARCHAR(64) NOT NULL, ts_us BIGINT NOT NULL, event_id BIGINT NOT NULL,
  PRIMARY KEY (term, ts_us, event_id) /*!80000 CLUSTERED */)
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  PARTITION BY RANGE (ts_us) (PARTITION pmax VALUES LESS THAN (MAXVALUE));

CREATE TABLE IF NOT EXISTS ingest_batches ( -- kept 48 h: the same body stores nothing new
  batch_key BINARY(16) PRIMARY KEY, source VARCHAR(64) NOT NULL, n INT NOT NULL,
  received_us BIGINT NOT NULL, KEY k_source (source, received_us))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS log_segments ( -- a line's address is (segment, line), stable for ever
  id BIGINT PRIMARY KEY AUTO_INCREMENT, writer VARCHAR(64) NOT NULL, min_us BIGINT NOT NULL,
  max_us BIGINT NOT NULL, n_lines INT NOT NULL, bytes BIGINT NOT NULL, sealed_us BIGINT,
  KEY k_writer (writer, sealed_us)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  /*!80000 AUTO_ID_CACHE 1 */;

CREATE TABLE IF NOT EXISTS log_blocks ( -- streams, templates: sorted ids, 8 bytes each
  segment_id BIGINT NOT NULL, first_line INT NOT NULL, n INT NOT NULL, min_us BIGINT NOT NULL,
  max_us BIGINT NOT NULL, max_severity SMALLINT NOT NULL, streams BLOB NOT NULL,
  templates BLOB NOT NULL, body_z MEDIUMBLOB NOT NULL,
  PRIMARY KEY (segment_id, first_line) /*!80000 CLUSTERED */,
  KEY k_max (segment_id, max_us)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS set_aside ( -- records that could not be decoded, with the reason
  id BIGINT PRIMARY KEY /*!80000 AUTO_RANDOM(5, 54) */ /*M! AUTO_INCREMENT */,
  received_us BIGINT NOT NULL, source VARCHAR(64) NOT NULL, reason VARCHAR(255) NOT NULL,
  body_z MEDIUMBLOB NOT NULL, KEY k_source (source, received_us))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS series (
  id BIGINT PRIMARY KEY /*!80000 AUTO_RANDOM(5, 54) */ /*M! AUTO_INCREMENT */,
  ident BINARY(16) NOT NULL, name VARCHAR(128) NOT NULL, stream_id BIGINT NOT NULL,
  labels MEDIUMTEXT NOT NULL, UNIQUE KEY uk_ident (ident), KEY k_stream (stream_id, name))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS metric_rollups (
  series_id BIGINT NOT NULL, res_s INT NOT NULL, bucket_us BIGINT NOT NULL, n INT NOT NULL,
  vsum DOUBLE NOT NULL, vmin DOUBLE NOT NULL, vmax DOUBLE NOT NULL, vlast DOUBLE NOT NULL,
  PRIMARY KEY (series_id, res_s, bucket_us) /*!80000 CLUSTERED */)
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS spans (
  trace_id VARBINARY(16) NOT NULL, span_id VARBINARY(16) NOT NULL, start_us BIGINT NOT NULL,
  dur_us BIGINT NOT NULL, parent_id VARBINARY(16), stream_id BIGINT NOT NULL,
  service VARCHAR(128) NOT NULL, name VARCHAR(255) NOT NULL, status SMALLINT NOT NULL,
  attrs MEDIUMTEXT, -- status: 2 error, else 0
  PRIMARY KEY (trace_id, span_id, start_us) /*!80000 CLUSTERED */,
  KEY k_stream (stream_id, start_us)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  PARTITION BY RANGE (start_us) (PARTITION pmax VALUES LESS THAN (MAXVALUE));

-- The cluster's objects as last seen, and what changed.

CREATE TABLE IF NOT EXISTS k8s_objects (
  cluster VARCHAR(255) NOT NULL, uid VARCHAR(64) NOT NULL, kind VARCHAR(128) NOT NULL,
  namespace VARCHAR(63) NOT NULL, name VARCHAR(253) NOT NULL, owner_uid VARCHAR(64) NOT NULL,
  resource_version VARCHAR(64) NOT NULL, generation BIGINT NOT NULL, actor VARCHAR(255) NOT NULL,
  spec MEDIUMTEXT NOT NULL, -- the object, whole
  deleted_us BIGINT, updated_us BIGINT NOT NULL, PRIMARY KEY (cluster, uid),
  KEY k_name (cluster, kind, namespace, name), KEY k_owner (owner_uid))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS k8s_object_versions ( -- "what changed before" is a range scan
  cluster VARCHAR(255) NOT NULL, uid VARCHAR(64) NOT NULL, resource_version VARCHAR(64) NOT NULL,
  is_deleted TINYINT NOT NULL, kind VARCHAR(128) NOT NULL, namespace VARCHAR(63) NOT NULL,
  name VARCHAR(253) NOT NULL, ts_us BIGINT NOT NULL, seen_us BIGINT NOT NULL,
  generation BIGINT NOT NULL, actor VARCHAR(255) NOT NULL DEFAULT '', title VARCHAR(255) NOT NULL,
  changed MEDIUMTEXT NOT NULL, spec MEDIUMTEXT NOT NULL,
  PRIMARY KEY (cluster, uid, resource_version, is_deleted), KEY k_ts (cluster, ts_us))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS watch_gaps ( -- kinds that cannot be seen, and why
  cluster VARCHAR(255) NOT NULL, kind VARCHAR(128) NOT NULL, what TEXT NOT NULL,
  reason TEXT NOT NULL, PRIMARY KEY (cluster, kind))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Incidents.

CREATE TABLE IF NOT EXISTS incidents (
  id BIGINT PRIMARY KEY AUTO_INCREMENT, created_us BIGINT NOT NULL, updated_us BIGINT NOT NULL,
  status VARCHAR(32) NOT NULL, severity SMALLINT NOT NULL, title VARCHAR(255) NOT NULL,
  summary MEDIUMTEXT NOT NULL, cluster VARCHAR(255) NOT NULL, namespace VARCHAR(128) NOT NULL,
  app VARCHAR(255) NOT NULL, workload TEXT NOT NULL, first_signal_us BIGINT NOT NULL,
  acknowledged_us BIGINT, acknowledged_by VARCHAR(255), resolution MEDIUMTEXT, resolved_us BIGINT,
  mttr_seconds INT, place TEXT NOT NULL, fingerprint BINARY(16) NOT NULL, -- hash of place
  open_key BINARY(16), -- the fingerprint while open, NULL after: one open incident a place
  rev INT NOT NULL DEFAULT 1, last_entry INT NOT NULL DEFAULT 0,
  UNIQUE KEY uk_open (open_key), KEY k_scope (cluster, namespace, app, created_us),
  KEY k_status (status, created_us), KEY k_fp (fingerprint, created_us))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin /*!80000 AUTO_ID_CACHE 1 */;

CREATE TABLE IF NOT EXISTS incident_events ( -- the timeline
  incident_id BIGINT NOT NULL, seq INT NOT NULL, ts_us BIGINT NOT NULL, kind VARCHAR(32) NOT NULL,
  actor VARCHAR(255) NOT NULL, title VARCHAR(255) NOT NULL, detail MEDIUMTEXT NOT NULL,
  evidence MEDIUMTEXT NOT NULL, PRIMARY KEY (incident_id, seq) /*!80000 CLUSTERED */)
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS alerts ( -- what a rule says of an incident; a repeat refreshes it
  incident_id BIGINT NOT NULL, fingerprint VARCHAR(255) NOT NULL, rule VARCHAR(64) NOT NULL,
  cluster VARCHAR(255) NOT NULL, starts_us BIGINT NOT NULL, last_us BIGINT NOT NULL,
  is_firing TINYINT NOT NULL, reason VARCHAR(64) NOT NULL, body MEDIUMTEXT NOT NULL, -- whole
  PRIMARY KEY (incident_id, fingerprint)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS evidence ( -- captured at the time, whole
  incident_id BIGINT NOT NULL, seq INT NOT NULL, kind VARCHAR(32) NOT NULL, title TEXT NOT NULL,
  occurred_us BIGINT NOT NULL, source TEXT NOT NULL, digest BINARY(16) NOT NULL,
  body_z MEDIUMBLOB NOT NULL, PRIMARY KEY (incident_id, seq),
  UNIQUE KEY uk_digest (incident_id, digest)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS findings ( -- of the latest look
  incident_id BIGINT PRIMARY KEY, summary MEDIUMTEXT NOT NULL, gaps MEDIUMTEXT NOT NULL,
  dropped INT NOT NULL, model VARCHAR(255) NOT NULL, tokens_in INT NOT NULL,
  tokens_out INT NOT NULL, created_us BIGINT NOT NULL)
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS hypotheses (
  incident_id BIGINT NOT NULL, seq INT NOT NULL, cause VARCHAR(64) NOT NULL,
  status VARCHAR(32) NOT NULL, confidence DOUBLE NOT NULL, agent VARCHAR(64) NOT NULL,
  body MEDIUMTEXT NOT NULL, PRIMARY KEY (incident_id, seq)) -- body: the hypothesis, whole
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS incident_runbooks (
  incident_id BIGINT NOT NULL, seq INT NOT NULL, slug VARCHAR(255) NOT NULL,
  body MEDIUMTEXT NOT NULL, PRIMARY KEY (incident_id, seq))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Remediation: what to change, who allowed it, what came of it.

CREATE TABLE IF NOT EXISTS proposals (
  id BIGINT PRIMARY KEY AUTO_INCREMENT, incident_id BIGINT NOT NULL, action VARCHAR(64) NOT NULL,
  target TEXT NOT NULL, status VARCHAR(32) NOT NULL, digest VARCHAR(128) NOT NULL,
  created_us BIGINT NOT NULL, expires_us BIGINT NOT NULL, body MEDIUMTEXT NOT NULL, -- whole
  KEY k_inc (incident_id, created_us)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  /*!80000 AUTO_ID_CACHE 1 */;

CREATE TABLE IF NOT EXISTS approvals ( -- digest: approval is for these exact bytes
  proposal_id BIGINT NOT NULL, approver VARCHAR(255) NOT NULL, decision VARCHAR(16) NOT NULL,
  digest VARCHAR(128) NOT NULL, reason MEDIUMTEXT NOT NULL, ts_us BIGINT NOT NULL,
  PRIMARY KEY (proposal_id, approver)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS actions ( -- claimed -> applied -> verified | reverting -> reverted | failed
  proposal_id BIGINT PRIMARY KEY, state VARCHAR(16) NOT NULL, owner VARCHAR(255) NOT NULL,
  fence BIGINT NOT NULL, lease_us BIGINT NOT NULL, claimed_us BIGINT NOT NULL,
  updated_us BIGINT NOT NULL, applied_us BIGINT NOT NULL DEFAULT 0,
  applied_version VARCHAR(255) NOT NULL DEFAULT '', verify_until_us BIGINT NOT NULL DEFAULT 0,
  outcome MEDIUMTEXT) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Work between legs, messages to people, what screens follow.

CREATE TABLE IF NOT EXISTS jobs ( -- dedupe_key: set while waiting; done ones are deleted
  id BIGINT PRIMARY KEY /*!80000 AUTO_RANDOM(5, 54) */ /*M! AUTO_INCREMENT */,
  queue VARCHAR(32) NOT NULL, payload MEDIUMTEXT NOT NULL, state VARCHAR(16) NOT NULL,
  run_us BIGINT NOT NULL, lease_owner VARCHAR(255), lease_us BIGINT NOT NULL DEFAULT 0,
  attempts INT NOT NULL DEFAULT 0, dedupe_key BINARY(16), last_error TEXT,
  UNIQUE KEY uk_dedupe (dedupe_key), KEY k_due (queue, state, run_us))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS notifications ( -- waiting -> sending -> delivered | unknown | failed
  id BIGINT PRIMARY KEY AUTO_INCREMENT, incident_id BIGINT NOT NULL, channel VARCHAR(32) NOT NULL,
  dedupe_key BINARY(16) NOT NULL, payload MEDIUMTEXT NOT NULL, status VARCHAR(16) NOT NULL,
  attempts INT NOT NULL DEFAULT 0, next_us BIGINT NOT NULL, lease_owner VARCHAR(255),
  lease_us BIGINT NOT NULL DEFAULT 0, last_error TEXT, UNIQUE KEY uk_dedupe (dedupe_key),
  KEY k_due (status, next_us)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  /*!80000 AUTO_ID_CACHE 1 */;

CREATE TABLE IF NOT EXISTS feed_heads (cluster VARCHAR(255) PRIMARY KEY, seq BIGINT NOT NULL)
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS feed ( -- one sequence a cluster without gaps
  cluster VARCHAR(255) NOT NULL, seq BIGINT NOT NULL, ts_us BIGINT NOT NULL,
  kind VARCHAR(64) NOT NULL, incident_id BIGINT, payload MEDIUMTEXT NOT NULL,
  PRIMARY KEY (cluster, seq) /*!80000 CLUSTERED */) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS audit_heads (
  chain VARCHAR(128) PRIMARY KEY, seq BIGINT NOT NULL, hash VARCHAR(64) NOT NULL)
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS audit_log ( -- append-only; each hash covers the row and the hash before
  chain VARCHAR(128) NOT NULL, seq BIGINT NOT NULL, ts_us BIGINT NOT NULL,
  actor VARCHAR(255) NOT NULL, action VARCHAR(64) NOT NULL, object TEXT NOT NULL,
  detail MEDIUMTEXT NOT NULL, prev_hash VARCHAR(64) NOT NULL, hash VARCHAR(64) NOT NULL,
  PRIMARY KEY (chain, seq)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What is known beforehand, and what was learned.

CREATE TABLE IF NOT EXISTS runbooks (
  id BIGINT PRIMARY KEY AUTO_INCREMENT, slug VARCHAR(255) NOT NULL, service VARCHAR(255) NOT NULL,
  title TEXT NOT NULL, body MEDIUMTEXT NOT NULL, tags TEXT NOT NULL,
  source VARCHAR(255) NOT NULL DEFAULT '', updated_us BIGINT NOT NULL,
  UNIQUE KEY uk_slug (slug)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  /*!80000 AUTO_ID_CACHE 1 */;

CREATE TABLE IF NOT EXISTS memories (
  id BIGINT PRIMARY KEY AUTO_INCREMENT, incident_id BIGINT NOT NULL, cluster VARCHAR(255) NOT NULL,
  namespace VARCHAR(128) NOT NULL, app VARCHAR(255) NOT NULL, rules TEXT NOT NULL,
  cause VARCHAR(64) NOT NULL, fix TEXT NOT NULL, action MEDIUMTEXT NOT NULL,
  has_held TINYINT NOT NULL, mttr_seconds INT NOT NULL, created_us BIGINT NOT NULL,
  expires_us BIGINT, UNIQUE KEY uk_incident (incident_id),
  KEY k_app (cluster, namespace, app, created_us), KEY k_cause (cause, created_us))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin /*!80000 AUTO_ID_CACHE 1 */;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 1, '0001_base', X'1b08ee290f3b2db9d88968df5c683ccb69d419c7ff710affbfcce8eb92fe484f', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 1);

-- 0002_listed_kinds
-- The kinds of a cluster that were listed whole: of those, absence means that there is none.
CREATE TABLE IF NOT EXISTS watch_listed (
  cluster VARCHAR(255) NOT NULL, kind VARCHAR(128) NOT NULL, PRIMARY KEY (cluster, kind))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 2, '0002_listed_kinds', X'15ee2a53a96a41994afbad3f94aaf01a8756de188ac0b3fe7f3c4ecfdb7cc0dc', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 2);

-- 0003_deliveries
-- How proposals go through Git: their pull requests.
CREATE TABLE IF NOT EXISTS deliveries (proposal_id BIGINT PRIMARY KEY, body MEDIUMTEXT NOT NULL)
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 3, '0003_deliveries', X'e405dbab007026c9884733a142f7b3c99a322ea2a1d9b731e683337e83253bb9', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 3);

-- 0005_segments
-- Segments are open, then sealed (full or old enough: no more lines), then packed: their small
-- blocks merged, the ids in their lines findable. Addresses never change.
ALTER TABLE log_segments ADD COLUMN IF NOT EXISTS opened_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE log_segments ADD COLUMN IF NOT EXISTS is_packed SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE log_segments ADD KEY IF NOT EXISTS k_packed (is_packed, sealed_us);

-- Which blocks of a packed segment hold a token that is rare: an id, an address, a hash. By the
-- first byte of the token's hash; bucket -1 lists the segment's blocks.
CREATE TABLE IF NOT EXISTS log_tokens (
  bucket SMALLINT NOT NULL, segment_id BIGINT NOT NULL, tokens MEDIUMBLOB NOT NULL,
  PRIMARY KEY (bucket, segment_id) /*!80000 CLUSTERED */) DEFAULT CHARSET=utf8mb4
  COLLATE=utf8mb4_bin;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 5, '0005_segments', X'9b3596deec67d14c6d97ecb336a7a8da6e3f82d3ea0a1a1d28b20b418db538f7', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 5);

-- 0006_search_index
-- What is searched by words and by meaning: templates, sections of runbooks, incidents.

CREATE TABLE IF NOT EXISTS runbook_chunks ( -- id: runbook_id * 1024 + seq; stamp: of its text
  id BIGINT NOT NULL PRIMARY KEY, runbook_id BIGINT NOT NULL, seq INT NOT NULL,
  heading VARCHAR(255) NOT NULL, text MEDIUMTEXT NOT NULL, stamp BIGINT NOT NULL,
  KEY k_runbook (runbook_id, seq)) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS search_corpora ( -- totals for BM25; rev counts the writes, and vectors carry it
  corpus VARCHAR(16) NOT NULL PRIMARY KEY, n_docs BIGINT NOT NULL, n_words BIGINT NOT NULL,
  rev BIGINT NOT NULL) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS search_docs ( -- stamp: of the row it was made from
  corpus VARCHAR(16) NOT NULL, doc_id BIGINT NOT NULL, len INT NOT NULL,
  text_hash BINARY(16) NOT NULL, stamp BIGINT NOT NULL,
  PRIMARY KEY (corpus, doc_id) /*!80000 CLUSTERED */) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS search_terms (
  corpus VARCHAR(16) NOT NULL, term VARCHAR(64) NOT NULL, doc_id BIGINT NOT NULL,
  tf SMALLINT NOT NULL, PRIMARY KEY (corpus, term, doc_id) /*!80000 CLUSTERED */,
  KEY k_doc (corpus, doc_id)) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- One vector a document and model, so that a new model fills in beside the old one.
-- embedding: float32, little-endian, where there is no type for it. text_hash: what it was made of.
-- rev: see search_corpora.
CREATE TABLE IF NOT EXISTS events_embeddings (
  template_id BIGINT NOT NULL, model VARCHAR(64) NOT NULL, text_hash BINARY(16) NOT NULL,
  embedding /*!80000 VECTOR */ /*M! MEDIUMBLOB */ NOT NULL, rev BIGINT NOT NULL,
  PRIMARY KEY (template_id, model), KEY k_rev (model, rev)) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS runbook_vec (
  chunk_id BIGINT NOT NULL, model VARCHAR(64) NOT NULL, text_hash BINARY(16) NOT NULL,
  embedding /*!80000 VECTOR */ /*M! MEDIUMBLOB */ NOT NULL, rev BIGINT NOT NULL,
  PRIMARY KEY (chunk_id, model), KEY k_rev (model, rev)) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS incident_vec (
  incident_id BIGINT NOT NULL, model VARCHAR(64) NOT NULL, text_hash BINARY(16) NOT NULL,
  embedding /*!80000 VECTOR */ /*M! MEDIUMBLOB */ NOT NULL, rev BIGINT NOT NULL,
  PRIMARY KEY (incident_id, model), KEY k_rev (model, rev)) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 6, '0006_search_index', X'409ebd05b115ce3410c389199fe11978d0f8a50b3f0ad61cf825f34300b6ec29', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 6);

-- 0007_retention_and_copies
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
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 7, '0007_retention_and_copies', X'e7feaa17bfeb813fc33be792a162eaf3e24b6e427d8b1585c73aa48d52809079', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 7);

-- 0008_families_and_search
-- Which templates are one, because they differ by a word that is a value. Lines and counts keep
-- their template for ever; a family only grows.
CREATE TABLE IF NOT EXISTS template_families (
  template_id BIGINT NOT NULL, family_id BIGINT NOT NULL, -- family_id: its oldest template
  first_key BINARY(16) NULL, last_key BINARY(16) NULL, -- where its siblings are found; NULL: it has none
  pattern TEXT NULL, -- what all of a family share, on its oldest template
  PRIMARY KEY (template_id) /*!80000 CLUSTERED */,
  KEY k_family (family_id), KEY k_first (first_key), KEY k_last (last_key))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO template_families (template_id, family_id) SELECT id, id FROM templates;
-- The newest events and alerts, without the log lines among them.
CREATE INDEX IF NOT EXISTS k_type ON raw_events (type, ts_us);
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 8, '0008_families_and_search', X'02006d86e15e363e31d4db5e72e565698060bd93ee4b8b3b9c606762b96dd9c1', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 8);

-- 0009_people
-- Who may come in. Only hashes are kept of what opens: nobody who reads this gets in with it.
CREATE TABLE IF NOT EXISTS access_tokens ( -- role: empty of senders
  digest BINARY(32) NOT NULL, kind VARCHAR(16) NOT NULL, name VARCHAR(128) NOT NULL,
  role VARCHAR(16) NOT NULL, created_us BIGINT NOT NULL, created_by VARCHAR(255) NOT NULL,
  expires_us BIGINT NULL, used_us BIGINT NULL, revoked_us BIGINT NULL,
  PRIMARY KEY (digest) /*!80000 CLUSTERED */) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS sign_ins ( -- token: what it was opened with, and ends with
  digest BINARY(32) NOT NULL, name VARCHAR(128) NOT NULL, role VARCHAR(16) NOT NULL,
  via VARCHAR(255) NOT NULL, token BINARY(32) NULL, created_us BIGINT NOT NULL,
  seen_us BIGINT NOT NULL, expires_us BIGINT NOT NULL,
  PRIMARY KEY (digest) /*!80000 CLUSTERED */, KEY k_name (name), KEY k_token (token))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS logins ( -- browsers that were sent to sign in elsewhere; each comes back once
  state BINARY(32) NOT NULL, nonce VARCHAR(128) NOT NULL, verifier VARCHAR(128) NOT NULL,
  goes_to VARCHAR(2048) NOT NULL, expires_us BIGINT NOT NULL,
  PRIMARY KEY (state) /*!80000 CLUSTERED */) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 9, '0009_people', X'b87854a850196d72b8043a469643339840af45bfac0c7c02ced2ea98ac763e24', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 9);

-- 0012_refused_texts_and_models
-- Texts that a model refuses, with why: asked again once the text or the model is another.
CREATE TABLE IF NOT EXISTS refused_texts (
  corpus VARCHAR(16) NOT NULL, doc_id BIGINT NOT NULL, model VARCHAR(64) NOT NULL,
  text_hash BINARY(16) NOT NULL, reason VARCHAR(255) NOT NULL,
  PRIMARY KEY (corpus, doc_id, model) /*!80000 CLUSTERED */) DEFAULT CHARSET=utf8mb4
  COLLATE=utf8mb4_bin;
-- When each model that has vectors was last in use: those of one that is no longer go.
CREATE TABLE IF NOT EXISTS search_models (
  model VARCHAR(64) PRIMARY KEY, used_us BIGINT NOT NULL) DEFAULT CHARSET=utf8mb4
  COLLATE=utf8mb4_bin;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 12, '0012_refused_texts_and_models', X'23d6aa168204f57a7f6fa2f80dacccaf42e16f610de2d783d20fd9f5810fc902', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 12);
