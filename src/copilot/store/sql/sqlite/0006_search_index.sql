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
