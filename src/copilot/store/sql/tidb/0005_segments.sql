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
