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
