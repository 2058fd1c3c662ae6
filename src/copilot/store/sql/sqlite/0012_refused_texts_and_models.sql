-- Texts that a model refuses, with why: asked again once the text or the model is another.
CREATE TABLE refused_texts (
  corpus TEXT NOT NULL, doc_id INTEGER NOT NULL, model TEXT NOT NULL, text_hash BLOB NOT NULL,
  reason TEXT NOT NULL, PRIMARY KEY (corpus, doc_id, model)) STRICT, WITHOUT ROWID;
-- When each model that has vectors was last in use: those of one that is no longer go.
CREATE TABLE search_models (
  model TEXT PRIMARY KEY, used_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;
