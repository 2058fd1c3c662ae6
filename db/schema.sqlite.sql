-- The schema of the store in SQLite's dialect.
-- Printed by `incident-copilot schema` from the migrations; do not edit.

CREATE TABLE IF NOT EXISTS schema_migrations (
  version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL,
  applied_us INTEGER NOT NULL) STRICT;

-- 0001_base
-- Times end in _us: epoch microseconds UTC. severity: OpenTelemetry 1-24, 0 for "not said".
-- Ids say which row, never which came first.

-- Telemetry: lines as blocks, what matters as rows, counts for every template.

CREATE TABLE streams (
  id INTEGER PRIMARY KEY, ident BLOB NOT NULL, -- ident: hash of the label set
  cluster TEXT NOT NULL, namespace TEXT NOT NULL, app TEXT NOT NULL, pod TEXT NOT NULL,
  container TEXT NOT NULL DEFAULT '', node TEXT NOT NULL DEFAULT '',
  last_seen_us INTEGER NOT NULL, last_line_us INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE UNIQUE INDEX streams_uk_ident ON streams (ident);
CREATE INDEX streams_k_pod ON streams (namespace, pod, container);

CREATE TABLE templates (
  id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL, severity INTEGER NOT NULL,
  pattern TEXT NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX templates_uk_fp ON templates (fingerprint);

CREATE TABLE template_counts ( -- in buckets of 10 s, so that a look at the last 15 s means something
  template_id INTEGER NOT NULL, stream_id INTEGER NOT NULL, bucket_us INTEGER NOT NULL,
  n INTEGER NOT NULL, segment_id INTEGER NOT NULL, line INTEGER NOT NULL, -- address of the last one
  PRIMARY KEY (template_id, stream_id, bucket_us)) STRICT, WITHOUT ROWID;
CREATE INDEX template_counts_k_bucket ON template_counts (bucket_us);

CREATE TABLE raw_events ( -- the row tier: what can be evidence by itself
  id INTEGER PRIMARY KEY AUTOINCREMENT, ts_us INTEGER NOT NULL, stream_id INTEGER NOT NULL,
  template_id INTEGER NOT NULL DEFAULT 0, -- 0: not a log line
  type TEXT NOT NULL, severity INTEGER NOT NULL, reason TEXT NOT NULL DEFAULT '',
  uid TEXT, -- of a Kubernetes event, or the key of another system's alert: a repeat refreshes
  count INTEGER NOT NULL DEFAULT 1,
  object_kind TEXT NOT NULL DEFAULT '', object_namespace TEXT NOT NULL DEFAULT '',
  object_name TEXT NOT NULL DEFAULT '', object_uid TEXT NOT NULL DEFAULT '', -- a line's: its pod
  segment_id INTEGER, line INTEGER, -- address of a log line
  body_text TEXT NOT NULL, body_json TEXT) STRICT;
CREATE INDEX raw_events_k_stream ON raw_events (stream_id, ts_us);
CREATE INDEX raw_events_k_object ON raw_events (object_name, ts_us);
CREATE INDEX raw_events_k_object_uid ON raw_events (object_uid) WHERE object_uid <> '';
CREATE INDEX raw_events_k_uid ON raw_events (uid) WHERE uid IS NOT NULL;

-- Words are runs of letters and digits: `oom-demo` is two words, and searching it is a phrase.
CREATE VIRTUAL TABLE raw_events_fts USING fts5(
  body_text, reason, object_name, content='raw_events', content_rowid='id',
  tokenize="unicode61 remove_diacritics 2");
CREATE TRIGGER raw_events_ai AFTER INSERT ON raw_events BEGIN
  INSERT INTO raw_events_fts (rowid, body_text, reason, object_name)
  VALUES (new.id, new.body_text, new.reason, new.object_name);
END;
CREATE TRIGGER raw_events_ad AFTER DELETE ON raw_events BEGIN
  INSERT INTO raw_events_fts (raw_events_fts, rowid, body_text, reason, object_name)
  VALUES ('delete', old.id, old.body_text, old.reason, old.object_name);
END;
CREATE TRIGGER raw_events_au AFTER UPDATE OF body_text, reason, object_name ON raw_events BEGIN
  INSERT INTO raw_events_fts (raw_events_fts, rowid, body_text, reason, object_name)
  VALUES ('delete', old.id, old.body_text, old.reason, old.object_name);
  INSERT INTO raw_events_fts (rowid, body_text, reason, object_name)
  VALUES (new.id, new.body_text, new.reason, new.object_name);
END;

CREATE TABLE ingest_batches ( -- kept 48 h: the same body by the same sender stores nothing new
  batch_key BLOB PRIMARY KEY, source TEXT NOT NULL, n INTEGER NOT NULL,
  received_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX ingest_batches_k_received ON ingest_batches (received_us);

CREATE TABLE log_segments ( -- a line's address is (segment, line), given at commit, stable for ever
  id INTEGER PRIMARY KEY AUTOINCREMENT, writer TEXT NOT NULL, min_us INTEGER NOT NULL,
  max_us INTEGER NOT NULL, n_lines INTEGER NOT NULL, bytes INTEGER NOT NULL,
  sealed_us INTEGER) STRICT;
CREATE INDEX log_segments_k_writer ON log_segments (writer, sealed_us);

CREATE TABLE log_blocks ( -- streams, templates: sorted ids, 8 bytes each, little-endian
  segment_id INTEGER NOT NULL, first_line INTEGER NOT NULL, n INTEGER NOT NULL,
  min_us INTEGER NOT NULL, max_us INTEGER NOT NULL, max_severity INTEGER NOT NULL,
  streams BLOB NOT NULL, templates BLOB NOT NULL, body_z BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX log_blocks_pk ON log_blocks (segment_id, first_line);
CREATE INDEX log_blocks_k_max ON log_blocks (max_us, segment_id, first_line);
CREATE INDEX log_blocks_k_min ON log_blocks (min_us, segment_id, first_line);

CREATE TABLE set_aside ( -- records that could not be decoded, with the reason
  id INTEGER PRIMARY KEY AUTOINCREMENT, received_us INTEGER NOT NULL, source TEXT NOT NULL,
  reason TEXT NOT NULL, body_z BLOB NOT NULL) STRICT;
CREATE INDEX set_aside_k_received ON set_aside (received_us);

CREATE TABLE series (
  id INTEGER PRIMARY KEY, ident BLOB NOT NULL, name TEXT NOT NULL, stream_id INTEGER NOT NULL,
  labels TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX series_uk_ident ON series (ident);
CREATE INDEX series_k_stream ON series (stream_id, name);

CREATE TABLE metric_rollups (
  series_id INTEGER NOT NULL, res_s INTEGER NOT NULL, bucket_us INTEGER NOT NULL,
  n INTEGER NOT NULL, vsum REAL NOT NULL, vmin REAL NOT NULL, vmax REAL NOT NULL,
  vlast REAL NOT NULL,
  PRIMARY KEY (series_id, res_s, bucket_us)) STRICT, WITHOUT ROWID;

CREATE TABLE spans (
  trace_id BLOB NOT NULL, span_id BLOB NOT NULL, start_us INTEGER NOT NULL,
  dur_us INTEGER NOT NULL, parent_id BLOB, stream_id INTEGER NOT NULL, service TEXT NOT NULL,
  name TEXT NOT NULL, status INTEGER NOT NULL, attrs TEXT, -- status: 2 error, else 0
  PRIMARY KEY (trace_id, span_id, start_us)) STRICT, WITHOUT ROWID;
CREATE INDEX spans_k_stream ON spans (stream_id, start_us);

-- The cluster's objects as last seen, and what changed.

CREATE TABLE k8s_objects (
  cluster TEXT NOT NULL, uid TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL,
  name TEXT NOT NULL, owner_uid TEXT NOT NULL, resource_version TEXT NOT NULL,
  generation INTEGER NOT NULL, actor TEXT NOT NULL, spec TEXT NOT NULL, -- spec: the object, whole
  deleted_us INTEGER, updated_us INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX k8s_objects_pk ON k8s_objects (cluster, uid);
CREATE INDEX k8s_objects_k_name ON k8s_objects (cluster, kind, namespace, name);
CREATE INDEX k8s_objects_k_owner ON k8s_objects (owner_uid) WHERE owner_uid <> '';

CREATE TABLE k8s_object_versions ( -- "what changed before" is a range scan
  cluster TEXT NOT NULL, uid TEXT NOT NULL, resource_version TEXT NOT NULL,
  is_deleted INTEGER NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
  ts_us INTEGER NOT NULL, seen_us INTEGER NOT NULL, generation INTEGER NOT NULL,
  actor TEXT NOT NULL DEFAULT '', title TEXT NOT NULL, changed TEXT NOT NULL,
  spec TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX k8s_object_versions_pk
  ON k8s_object_versions (cluster, uid, resource_version, is_deleted);
CREATE INDEX k8s_object_versions_k_ts ON k8s_object_versions (cluster, ts_us);

CREATE TABLE watch_gaps ( -- kinds that cannot be seen, and why
  cluster TEXT NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (cluster, kind)) STRICT, WITHOUT ROWID;

-- Incidents.

CREATE TABLE incidents (
  id INTEGER PRIMARY KEY AUTOINCREMENT, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL,
  status TEXT NOT NULL, severity INTEGER NOT NULL, title TEXT NOT NULL, summary TEXT NOT NULL,
  cluster TEXT NOT NULL, namespace TEXT NOT NULL, app TEXT NOT NULL, workload TEXT NOT NULL,
  first_signal_us INTEGER NOT NULL, acknowledged_us INTEGER, acknowledged_by TEXT,
  resolution TEXT, resolved_us INTEGER, mttr_seconds INTEGER,
  place TEXT NOT NULL, fingerprint BLOB NOT NULL, -- fingerprint: hash of place
  open_key BLOB, -- the fingerprint while open, NULL after: one open incident a place
  rev INTEGER NOT NULL DEFAULT 1, last_entry INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE UNIQUE INDEX incidents_uk_open ON incidents (open_key);
CREATE INDEX incidents_k_scope ON incidents (cluster, namespace, app, created_us);
CREATE INDEX incidents_k_status ON incidents (status, created_us);
CREATE INDEX incidents_k_fp ON incidents (fingerprint, created_us);
CREATE INDEX incidents_k_created ON incidents (created_us);

CREATE TABLE incident_events ( -- the timeline
  incident_id INTEGER NOT NULL, seq INTEGER NOT NULL, ts_us INTEGER NOT NULL, kind TEXT NOT NULL,
  actor TEXT NOT NULL, title TEXT NOT NULL, detail TEXT NOT NULL, evidence TEXT NOT NULL,
  PRIMARY KEY (incident_id, seq)) STRICT, WITHOUT ROWID;

CREATE TABLE alerts ( -- what a rule says of an incident; a repeat refreshes it
  incident_id INTEGER NOT NULL, fingerprint TEXT NOT NULL, rule TEXT NOT NULL,
  cluster TEXT NOT NULL, starts_us INTEGER NOT NULL, last_us INTEGER NOT NULL,
  is_firing INTEGER NOT NULL, reason TEXT NOT NULL, body TEXT NOT NULL, -- body: the alert, whole
  PRIMARY KEY (incident_id, fingerprint)) STRICT, WITHOUT ROWID;

CREATE TABLE evidence ( -- captured at the time, whole
  incident_id INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL,
  occurred_us INTEGER NOT NULL, source TEXT NOT NULL, digest BLOB NOT NULL, body_z BLOB NOT NULL)
  STRICT;
CREATE UNIQUE INDEX evidence_pk ON evidence (incident_id, seq);
CREATE UNIQUE INDEX evidence_uk_digest ON evidence (incident_id, digest);

CREATE TABLE findings ( -- of the latest look
  incident_id INTEGER PRIMARY KEY, summary TEXT NOT NULL, gaps TEXT NOT NULL,
  dropped INTEGER NOT NULL, model TEXT NOT NULL, tokens_in INTEGER NOT NULL,
  tokens_out INTEGER NOT NULL, created_us INTEGER NOT NULL) STRICT;
CREATE TABLE hypotheses (
  incident_id INTEGER NOT NULL, seq INTEGER NOT NULL, cause TEXT NOT NULL, status TEXT NOT NULL,
  confidence REAL NOT NULL, agent TEXT NOT NULL, body TEXT NOT NULL, -- body: the hypothesis, whole
  PRIMARY KEY (incident_id, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE incident_runbooks (
  incident_id INTEGER NOT NULL, seq INTEGER NOT NULL, slug TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (incident_id, seq)) STRICT, WITHOUT ROWID;

-- Remediation: what to change, who allowed it, what came of it.

CREATE TABLE proposals (
  id INTEGER PRIMARY KEY AUTOINCREMENT, incident_id INTEGER NOT NULL, action TEXT NOT NULL,
  target TEXT NOT NULL, status TEXT NOT NULL, digest TEXT NOT NULL, created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL, body TEXT NOT NULL) STRICT; -- body: the proposal, whole
CREATE INDEX proposals_k_inc ON proposals (incident_id, created_us);

CREATE TABLE approvals ( -- digest: approval is for these exact bytes
  proposal_id INTEGER NOT NULL, approver TEXT NOT NULL, decision TEXT NOT NULL,
  digest TEXT NOT NULL, reason TEXT NOT NULL, ts_us INTEGER NOT NULL,
  PRIMARY KEY (proposal_id, approver)) STRICT, WITHOUT ROWID;

CREATE TABLE actions ( -- claimed -> applied -> verified | reverting -> reverted | failed
  proposal_id INTEGER PRIMARY KEY, state TEXT NOT NULL, owner TEXT NOT NULL,
  fence INTEGER NOT NULL, lease_us INTEGER NOT NULL, claimed_us INTEGER NOT NULL,
  updated_us INTEGER NOT NULL, applied_us INTEGER NOT NULL DEFAULT 0,
  applied_version TEXT NOT NULL DEFAULT '', verify_until_us INTEGER NOT NULL DEFAULT 0,
  outcome TEXT) STRICT;

-- Work between legs, messages to people, what screens follow.

CREATE TABLE jobs ( -- dedupe_key: set while waiting; done ones are deleted
  id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, payload TEXT NOT NULL,
  state TEXT NOT NULL, run_us INTEGER NOT NULL, lease_owner TEXT, lease_us INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0, dedupe_key BLOB, last_error TEXT) STRICT;
CREATE UNIQUE INDEX jobs_uk_dedupe ON jobs (dedupe_key);
CREATE INDEX jobs_k_due ON jobs (queue, state, run_us);

CREATE TABLE notifications ( -- outbox; waiting -> sending -> delivered | unknown | failed
  id INTEGER PRIMARY KEY AUTOINCREMENT, incident_id INTEGER NOT NULL, channel TEXT NOT NULL,
  dedupe_key BLOB NOT NULL, payload TEXT NOT NULL, status TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, next_us INTEGER NOT NULL, lease_owner TEXT,
  lease_us INTEGER NOT NULL DEFAULT 0, last_error TEXT) STRICT;
CREATE UNIQUE INDEX notifications_uk_dedupe ON notifications (dedupe_key);
CREATE INDEX notifications_k_due ON notifications (status, next_us);

CREATE TABLE feed_heads (cluster TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE feed ( -- one sequence a cluster without gaps
  cluster TEXT NOT NULL, seq INTEGER NOT NULL, ts_us INTEGER NOT NULL, kind TEXT NOT NULL,
  incident_id INTEGER, payload TEXT NOT NULL,
  PRIMARY KEY (cluster, seq)) STRICT, WITHOUT ROWID;

CREATE TABLE audit_heads (chain TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL)
  STRICT, WITHOUT ROWID;
CREATE TABLE audit_log ( -- append-only; each hash covers the row and the hash before
  chain TEXT NOT NULL, seq INTEGER NOT NULL, ts_us INTEGER NOT NULL, actor TEXT NOT NULL,
  action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL, prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL, PRIMARY KEY (chain, seq)) STRICT, WITHOUT ROWID;
CREATE INDEX audit_log_k_ts ON audit_log (ts_us);

-- What is known beforehand, and what was learned.

CREATE TABLE runbooks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, slug TEXT NOT NULL, service TEXT NOT NULL,
  title TEXT NOT NULL, body TEXT NOT NULL, tags TEXT NOT NULL, source TEXT NOT NULL DEFAULT '',
  updated_us INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX runbooks_uk_slug ON runbooks (slug);

CREATE TABLE memories (
  id INTEGER PRIMARY KEY AUTOINCREMENT, incident_id INTEGER NOT NULL, cluster TEXT NOT NULL,
  namespace TEXT NOT NULL, app TEXT NOT NULL, rules TEXT NOT NULL, cause TEXT NOT NULL,
  fix TEXT NOT NULL, action TEXT NOT NULL, has_held INTEGER NOT NULL,
  mttr_seconds INTEGER NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER) STRICT;
CREATE UNIQUE INDEX memories_uk_incident ON memories (incident_id);
CREATE INDEX memories_k_app ON memories (cluster, namespace, app, created_us);
CREATE INDEX memories_k_cause ON memories (cause, created_us);
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 1, '0001_base', X'94b1b51cb5cdaa0b898e3867c58ef57ea4ff2ce8b3347b8fb797a8af7bc22253', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 1);

-- 0002_listed_kinds
-- The kinds of a cluster that were listed whole: of those, absence means that there is none.
CREATE TABLE watch_listed (
  cluster TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (cluster, kind)) STRICT, WITHOUT ROWID;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 2, '0002_listed_kinds', X'f9b268027709fea294a7b38126d12a409135233187d5899baf4158c1971fbf23', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 2);

-- 0003_deliveries
-- How proposals go through Git: their pull requests.
CREATE TABLE deliveries (proposal_id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 3, '0003_deliveries', X'dbaf609d6798cf7bad300cc62a29c18974cbecfeb11462b64187bd7cfe951aee', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 3);

-- 0005_segments
-- Segments are open, then sealed (full or old enough: no more lines), then packed: their small
-- blocks merged, the ids in their lines findable. Addresses never change.
ALTER TABLE log_segments ADD COLUMN opened_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log_segments ADD COLUMN is_packed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX log_segments_k_packed ON log_segments (is_packed, sealed_us);

-- Which blocks of a packed segment hold a token that is rare: an id, an address, a hash. By the
-- first byte of the token's hash; bucket -1 lists the segment's blocks.
CREATE TABLE log_tokens (
  bucket INTEGER NOT NULL, segment_id INTEGER NOT NULL, tokens BLOB NOT NULL,
  PRIMARY KEY (bucket, segment_id)) STRICT, WITHOUT ROWID;

-- Blocks are found through their segments, on every database.
DROP INDEX log_blocks_k_max;
DROP INDEX log_blocks_k_min;
CREATE INDEX log_blocks_k_segment ON log_blocks (segment_id, max_us);
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 5, '0005_segments', X'e951cdc81948cb7cc4522a800cbaa5e0f490cd90097deb1be714c65ca9b0bf8c', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 5);

-- 0006_search_index
-- What is searched by words and by meaning: templates, sections of runbooks, incidents.

CREATE TABLE runbook_chunks ( -- id: runbook_id * 1024 + seq; stamp: of its text
  id INTEGER PRIMARY KEY, runbook_id INTEGER NOT NULL, seq INTEGER NOT NULL,
  heading TEXT NOT NULL, text TEXT NOT NULL, stamp INTEGER NOT NULL) STRICT;
CREATE INDEX runbook_chunks_k_runbook ON runbook_chunks (runbook_id, seq);

CREATE TABLE search_corpora ( -- totals for BM25; rev counts the writes, and vectors carry it
  corpus TEXT PRIMARY KEY, n_docs INTEGER NOT NULL, n_words INTEGER NOT NULL,
  rev INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE search_docs ( -- stamp: of the row it was made from
  corpus TEXT NOT NULL, doc_id INTEGER NOT NULL, len INTEGER NOT NULL, text_hash BLOB NOT NULL,
  stamp INTEGER NOT NULL, PRIMARY KEY (corpus, doc_id)) STRICT, WITHOUT ROWID;
CREATE TABLE search_terms (
  corpus TEXT NOT NULL, term TEXT NOT NULL, doc_id INTEGER NOT NULL, tf INTEGER NOT NULL,
  PRIMARY KEY (corpus, term, doc_id)) STRICT, WITHOUT ROWID;
CREATE INDEX search_terms_k_doc ON search_terms (corpus, doc_id);

-- One vector a document and model, so that a new model fills in beside the old one.
-- embedding: float32, little-endian. text_hash: what it was made of. rev: see search_corpora.
CREATE TABLE events_embeddings (
  template_id INTEGER NOT NULL, model TEXT NOT NULL, text_hash BLOB NOT NULL,
  embedding BLOB NOT NULL, rev INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX events_embeddings_pk ON events_embeddings (template_id, model);
CREATE INDEX events_embeddings_k_rev ON events_embeddings (model, rev);
CREATE TABLE runbook_vec (
  chunk_id INTEGER NOT NULL, model TEXT NOT NULL, text_hash BLOB NOT NULL,
  embedding BLOB NOT NULL, rev INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX runbook_vec_pk ON runbook_vec (chunk_id, model);
CREATE INDEX runbook_vec_k_rev ON runbook_vec (model, rev);
CREATE TABLE incident_vec (
  incident_id INTEGER NOT NULL, model TEXT NOT NULL, text_hash BLOB NOT NULL,
  embedding BLOB NOT NULL, rev INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX incident_vec_pk ON incident_vec (incident_id, model);
CREATE INDEX incident_vec_k_rev ON incident_vec (model, rev);
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 6, '0006_search_index', X'4891879e3c1f32a0d2f06c6e7717822ed6660ead54fba350cafe43277abbcccf', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 6);

-- 0007_retention_and_copies
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
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 7, '0007_retention_and_copies', X'f945d84434c4ee46ed6dd13765b6dbf394fefc61823a6f7e87b597c464ee3e46', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 7);

-- 0008_families_and_search
-- Which templates are one, because they differ by a word that is a value. Lines and counts keep
-- their template for ever; a family only grows.
CREATE TABLE template_families (
  template_id INTEGER PRIMARY KEY, family_id INTEGER NOT NULL, -- family_id: its oldest template
  first_key BLOB, last_key BLOB, -- where its siblings are found; NULL: it has none
  pattern TEXT) STRICT; -- what all of a family share, on its oldest template
CREATE INDEX template_families_k_family ON template_families (family_id);
CREATE INDEX template_families_k_first ON template_families (first_key);
CREATE INDEX template_families_k_last ON template_families (last_key);
INSERT OR IGNORE INTO template_families (template_id, family_id) SELECT id, id FROM templates;
-- The newest events and alerts, without the log lines among them.
CREATE INDEX raw_events_k_seen ON raw_events (ts_us) WHERE uid IS NOT NULL;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 8, '0008_families_and_search', X'dacf9b2141d6228842f7105d40caed1abb60afdd6697aeca9deff57d2a21616f', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 8);

-- 0009_people
-- Who may come in. Only hashes are kept of what opens: nobody who reads this gets in with it.
CREATE TABLE access_tokens ( -- role: empty of senders
  digest BLOB NOT NULL PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL,
  created_us INTEGER NOT NULL, created_by TEXT NOT NULL, expires_us INTEGER, used_us INTEGER,
  revoked_us INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE sign_ins ( -- token: what it was opened with, and ends with
  digest BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, via TEXT NOT NULL,
  token BLOB, created_us INTEGER NOT NULL, seen_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX sign_ins_k_name ON sign_ins (name);
CREATE INDEX sign_ins_k_token ON sign_ins (token);
CREATE TABLE logins ( -- browsers that were sent to sign in elsewhere; each comes back once
  state BLOB NOT NULL PRIMARY KEY, nonce TEXT NOT NULL, verifier TEXT NOT NULL,
  goes_to TEXT NOT NULL, expires_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 9, '0009_people', X'282ef7c9cb74ec925762bd7910e8c7f3d625cc0fc038a4847fc8cca439b6f442', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 9);

-- 0012_refused_texts_and_models
-- Texts that a model refuses, with why: asked again once the text or the model is another.
CREATE TABLE refused_texts (
  corpus TEXT NOT NULL, doc_id INTEGER NOT NULL, model TEXT NOT NULL, text_hash BLOB NOT NULL,
  reason TEXT NOT NULL, PRIMARY KEY (corpus, doc_id, model)) STRICT, WITHOUT ROWID;
-- When each model that has vectors was last in use: those of one that is no longer go.
CREATE TABLE search_models (
  model TEXT PRIMARY KEY, used_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO schema_migrations (version, name, checksum, applied_us)
SELECT 12, '0012_refused_texts_and_models', X'5bc556753cff3566686f98c96658c8f6144ed6ab7550f1fd0f2c0a08424d8545', 0
FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS
  (SELECT 1 FROM schema_migrations WHERE version = 12);
