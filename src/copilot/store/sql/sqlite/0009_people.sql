-- Who may come in. Only hashes are kept of what opens: nobody who reads this gets in with it.
CREATE TABLE access_tokens ( -- role: empty of senders
  digest BLOB NOT NULL PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL,
  created_us INTEGER NOT NULL, created_by TEXT NOT NULL, expires_us INTEGER, used_us INTEGER,
  revoked_us INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE sign_ins ( -- token: what it was opened with, and ends with
  digest BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, via TEXT NOT NULL,
  token BLOB, created_us INTEGER NOT NULL, seen_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX sign_ins_k_name ON sign_ins (name);
CREATE INDEX sign_ins_k_token ON sign_ins (token);
CREATE TABLE logins ( -- browsers that were sent to sign in elsewhere; each comes back once
  state BLOB NOT NULL PRIMARY KEY, nonce TEXT NOT NULL, verifier TEXT NOT NULL,
  goes_to TEXT NOT NULL, expires_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;
