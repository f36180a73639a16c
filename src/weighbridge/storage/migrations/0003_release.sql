-- One statement may serve two releases: evidence speaks of a release digest, and signing is deterministic, so the same
-- files put forward twice (refused, then mended by people; or for another audience) have the same inspection, to the
-- byte. So a statement is one of a release by (release_id, id).

CREATE TABLE statement_kept (
  id TEXT NOT NULL,                -- sha256 of the envelope
  release_id TEXT NOT NULL REFERENCES release(id),
  kind TEXT NOT NULL,              -- inspection | documents | account-key | approval | decision | intent | effect | withdrawal
  dedup_key TEXT NOT NULL UNIQUE,  -- release id, kind and what tells two of a kind apart: a step run twice adds nothing
  envelope TEXT NOT NULL,          -- DSSE JSON, canonical (RFC 8785)
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (release_id, id)
);
INSERT INTO statement_kept (id, release_id, kind, dedup_key, envelope, created_ms)
SELECT id, release_id, kind, dedup_key, envelope, created_ms FROM statement;

CREATE TABLE approval_kept (
  release_id TEXT NOT NULL REFERENCES release(id),
  account_id TEXT NOT NULL REFERENCES account(id),
  verdict TEXT NOT NULL,           -- approve | reject
  reason TEXT NOT NULL,
  statement_id TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (release_id, account_id),
  FOREIGN KEY (release_id, statement_id) REFERENCES statement_kept(release_id, id)
);
INSERT INTO approval_kept (release_id, account_id, verdict, reason, statement_id, created_ms)
SELECT release_id, account_id, verdict, reason, statement_id, created_ms FROM approval;

CREATE TABLE withdrawal_kept (
  release_id TEXT PRIMARY KEY REFERENCES release(id),
  advisory_id TEXT NOT NULL UNIQUE,
  reason TEXT NOT NULL,
  actor_id TEXT NOT NULL REFERENCES account(id),
  statement_id TEXT,               -- null until the worker has signed it
  withdrawn_ms BIGINT NOT NULL,
  FOREIGN KEY (release_id, statement_id) REFERENCES statement_kept(release_id, id)
);
INSERT INTO withdrawal_kept (release_id, advisory_id, reason, actor_id, statement_id, withdrawn_ms)
SELECT release_id, advisory_id, reason, actor_id, statement_id, withdrawn_ms FROM withdrawal;

DROP TABLE approval;
DROP TABLE withdrawal;
DROP TABLE statement;
ALTER TABLE statement_kept RENAME TO statement;
ALTER TABLE approval_kept RENAME TO approval;
ALTER TABLE withdrawal_kept RENAME TO withdrawal;
CREATE INDEX statement_id ON statement (id);
CREATE INDEX release_state ON release (state);

-- What the policy said when it was last asked, before its decision is signed: the verdict of each rule.
CREATE TABLE preview (
  release_id TEXT PRIMARY KEY REFERENCES release(id),
  rules TEXT NOT NULL,             -- JSON list
  decided_ms BIGINT NOT NULL
);
