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
