-- The kinds of a cluster that were listed whole: of those, absence means that there is none.
CREATE TABLE watch_listed (
  cluster TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (cluster, kind)) STRICT, WITHOUT ROWID;
