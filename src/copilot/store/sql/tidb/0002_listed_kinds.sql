-- The kinds of a cluster that were listed whole: of those, absence means that there is none.
CREATE TABLE IF NOT EXISTS watch_listed (
  cluster VARCHAR(255) NOT NULL, kind VARCHAR(128) NOT NULL, PRIMARY KEY (cluster, kind))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
