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
