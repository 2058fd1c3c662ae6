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
