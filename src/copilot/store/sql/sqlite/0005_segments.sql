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
