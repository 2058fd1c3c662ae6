-- How proposals go through Git: their pull requests.
CREATE TABLE IF NOT EXISTS deliveries (proposal_id BIGINT PRIMARY KEY, body MEDIUMTEXT NOT NULL)
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
