-- Who may come in. Only hashes are kept of what opens: nobody who reads this gets in with it.
CREATE TABLE IF NOT EXISTS access_tokens ( -- role: empty of senders
  digest BINARY(32) NOT NULL, kind VARCHAR(16) NOT NULL, name VARCHAR(128) NOT NULL,
  role VARCHAR(16) NOT NULL, created_us BIGINT NOT NULL, created_by VARCHAR(255) NOT NULL,
  expires_us BIGINT NULL, used_us BIGINT NULL, revoked_us BIGINT NULL,
  PRIMARY KEY (digest) /*!80000 CLUSTERED */) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS sign_ins ( -- token: what it was opened with, and ends with
  digest BINARY(32) NOT NULL, name VARCHAR(128) NOT NULL, role VARCHAR(16) NOT NULL,
  via VARCHAR(255) NOT NULL, token BINARY(32) NULL, created_us BIGINT NOT NULL,
  seen_us BIGINT NOT NULL, expires_us BIGINT NOT NULL,
  PRIMARY KEY (digest) /*!80000 CLUSTERED */, KEY k_name (name), KEY k_token (token))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS logins ( -- browsers that were sent to sign in elsewhere; each comes back once
  state BINARY(32) NOT NULL, nonce VARCHAR(128) NOT NULL, verifier VARCHAR(128) NOT NULL,
  goes_to VARCHAR(2048) NOT NULL, expires_us BIGINT NOT NULL,
  PRIMARY KEY (state) /*!80000 CLUSTERED */) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
