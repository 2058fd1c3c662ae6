-- How proposals go through Git: their pull requests.
CREATE TABLE deliveries (proposal_id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
