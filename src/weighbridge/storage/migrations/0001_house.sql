-- The first tables. Portable between SQLite and PostgreSQL: TEXT and BIGINT only; times are milliseconds since 1970, UTC;
-- digests are lower-case hex; ids are 32 hex digits of randomness unless a comment says otherwise.

CREATE TABLE hub_state (
  key TEXT PRIMARY KEY,            -- instance_id | trust_config | log_origin
  value TEXT NOT NULL
);

-- accounts/ owns: account, role_grant, token
CREATE TABLE account (
  id TEXT PRIMARY KEY,
  uri TEXT NOT NULL UNIQUE,        -- urn:uuid:…, the pseudonym that statements carry
  kind TEXT NOT NULL,              -- user | organisation
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,   -- lower case of name; a namespace is found by it
  full_name TEXT NOT NULL,
  password_hash TEXT,              -- argon2id; null: cannot log in by password
  policy TEXT NOT NULL,            -- default policy of the repos of this namespace
  created_ms BIGINT NOT NULL,
  disabled_ms BIGINT
);

CREATE TABLE role_grant (
  account_id TEXT NOT NULL REFERENCES account(id),
  scope_kind TEXT NOT NULL,        -- hub | organisation | repo
  scope_id TEXT NOT NULL,          -- 'hub', an account.id or a repo.id
  role TEXT NOT NULL,              -- read | contribute | write | admin | reviewer | auditor
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (account_id, scope_kind, scope_id, role)
);
CREATE INDEX role_grant_scope ON role_grant (scope_kind, scope_id);

CREATE TABLE token (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES account(id),
  sha256 TEXT NOT NULL UNIQUE,     -- of the token's text; the text itself is shown once and not kept
  kind TEXT NOT NULL,              -- token | session (a login of the pages)
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,            -- space-separated: read write approve admin
  repo_id TEXT,                    -- when set, good for this repo only
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT,
  revoked_ms BIGINT
);
CREATE INDEX token_account ON token (account_id);

-- hub/ owns: repo, git_commit, revision_file, git_ref, uploaded_blob, cohort_member, access_request
CREATE TABLE repo (
  id TEXT PRIMARY KEY,
  type TEXT NOT NULL,              -- model | dataset
  namespace_id TEXT NOT NULL REFERENCES account(id),
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  full_name_key TEXT NOT NULL,     -- lower case of "namespace/name"
  policy TEXT,                     -- null: the namespace's; may only be stricter
  gated TEXT NOT NULL,             -- false | auto | manual
  wish TEXT NOT NULL,              -- audience that the owner asked the repo to have: internal | public
  created_by TEXT NOT NULL REFERENCES account(id),
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  deleted_ms BIGINT
);
CREATE UNIQUE INDEX repo_live_name ON repo (type, full_name_key) WHERE deleted_ms IS NULL;
CREATE INDEX repo_namespace ON repo (namespace_id);

CREATE TABLE git_commit (
  repo_id TEXT NOT NULL REFERENCES repo(id),
  oid TEXT NOT NULL,               -- git commit id, 40 hex
  tree_oid TEXT NOT NULL,
  parent_oid TEXT,                 -- null for the first commit and for every release commit
  kind TEXT NOT NULL,              -- author | release
  title TEXT NOT NULL,
  message TEXT NOT NULL,           -- body without the title; empty when there is none
  author_id TEXT NOT NULL REFERENCES account(id),
  committed_ms BIGINT NOT NULL,    -- whole seconds, times 1000, as git keeps it
  object TEXT NOT NULL,            -- the commit object's text; git hash-object -t commit gives oid
  file_count BIGINT NOT NULL,
  size_bytes BIGINT NOT NULL,      -- sum of the files
  card TEXT NOT NULL,              -- JSON of README.md's front matter, {} when none
  PRIMARY KEY (repo_id, oid)
);

CREATE TABLE revision_file (
  repo_id TEXT NOT NULL,
  commit_oid TEXT NOT NULL,
  path TEXT NOT NULL,              -- NFC, forward slashes
  kind TEXT NOT NULL,              -- file | lfs | directory
  oid TEXT NOT NULL,               -- git blob id (of the LFS pointer for lfs), git tree id for a directory
  sha256 TEXT NOT NULL,            -- of the file's bytes; empty for a directory
  size_bytes BIGINT NOT NULL,      -- of the file; 0 for a directory
  pointer_size_bytes BIGINT NOT NULL, -- of the LFS pointer; 0 unless lfs
  PRIMARY KEY (repo_id, commit_oid, path)
);
CREATE INDEX revision_file_sha256 ON revision_file (sha256);

CREATE TABLE git_ref (
  repo_id TEXT NOT NULL REFERENCES repo(id),
  name TEXT NOT NULL,              -- refs/heads/… | refs/tags/… | refs/releases/N
  oid TEXT NOT NULL,
  message TEXT,                    -- of a tag
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (repo_id, name)
);

CREATE TABLE uploaded_blob (        -- who brought which bytes to which repo: the only ground on which bytes may be skipped
  repo_id TEXT NOT NULL REFERENCES repo(id),
  account_id TEXT NOT NULL REFERENCES account(id),
  sha256 TEXT NOT NULL,
  git_oid TEXT NOT NULL,           -- sha1 as a git blob, so that a commit need not read it again
  size_bytes BIGINT NOT NULL,
  is_text BIGINT NOT NULL,         -- 1: UTF-8 without NUL, so it may be a regular git file
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (repo_id, account_id, sha256)
);

CREATE TABLE cohort_member (        -- partners: accounts and organisations that a repo names
  repo_id TEXT NOT NULL REFERENCES repo(id),
  account_id TEXT NOT NULL REFERENCES account(id),
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (repo_id, account_id)
);

CREATE TABLE access_request (       -- of a repo whose weights are gated
  repo_id TEXT NOT NULL REFERENCES repo(id),
  account_id TEXT NOT NULL REFERENCES account(id),
  status TEXT NOT NULL,            -- pending | accepted | rejected
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (repo_id, account_id)
);

-- release/ owns: release, stage, document, dial_change, withdrawal
CREATE TABLE release (
  id TEXT PRIMARY KEY,             -- also the id of its durable workflow
  repo_id TEXT NOT NULL REFERENCES repo(id),
  number BIGINT NOT NULL,          -- 1, 2, … within the repo; its release commit is refs/releases/N
  candidate_oid TEXT NOT NULL,
  digest TEXT NOT NULL,            -- release digest: sha256 of SHA256SUMS
  author_id TEXT NOT NULL REFERENCES account(id),
  weights_wanted TEXT NOT NULL,    -- none | internal | partners | gated | public
  inference_wanted TEXT NOT NULL,
  weights TEXT NOT NULL,           -- where the dial stands now
  inference TEXT NOT NULL,
  policy TEXT NOT NULL,            -- name of the policy that decides
  policy_sha256 TEXT NOT NULL,     -- of its text as it stood when the release was put forward
  policy_text TEXT NOT NULL,
  state TEXT NOT NULL,             -- running | waiting | released | refused | failed
  problem TEXT NOT NULL,           -- why it failed or was refused; empty otherwise
  commit_oid TEXT,                 -- the release commit, once there is one
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  UNIQUE (repo_id, number)
);
CREATE INDEX release_candidate ON release (repo_id, candidate_oid);

CREATE TABLE stage (
  release_id TEXT NOT NULL REFERENCES release(id),
  position BIGINT NOT NULL,        -- 1..8
  name TEXT NOT NULL,              -- receive inspect document decide approve sign log publish
  state TEXT NOT NULL,             -- running | waiting | passed | failed
  started_ms BIGINT NOT NULL,
  ended_ms BIGINT,
  done_bytes BIGINT NOT NULL,
  total_bytes BIGINT NOT NULL,
  summary TEXT NOT NULL,           -- one line: what, and the verdict
  reasons TEXT NOT NULL,           -- JSON list of strings
  PRIMARY KEY (release_id, name)
);

CREATE TABLE finding (
  release_id TEXT NOT NULL REFERENCES release(id),
  position BIGINT NOT NULL,
  rule TEXT NOT NULL,
  severity TEXT NOT NULL,          -- block | warn | note
  file TEXT NOT NULL,
  at_byte BIGINT,                  -- offset where it was seen, when there is one
  title TEXT NOT NULL,
  reason TEXT NOT NULL,
  remedy TEXT NOT NULL,
  reference TEXT NOT NULL,
  PRIMARY KEY (release_id, position)
);

CREATE TABLE document (
  release_id TEXT NOT NULL REFERENCES release(id),
  path TEXT NOT NULL,              -- as in the release commit: .release/SHA256SUMS, .release/bom.cdx.json, …
  sha256 TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (release_id, path)
);

CREATE TABLE statement (            -- evidence/: every signed statement, public ones in full
  id TEXT PRIMARY KEY,             -- sha256 of the envelope
  release_id TEXT NOT NULL REFERENCES release(id),
  kind TEXT NOT NULL,              -- inspection | documents | account-key | approval | decision | intent | effect | withdrawal
  dedup_key TEXT NOT NULL UNIQUE,  -- release id, kind and what tells two of a kind apart: a step run twice adds nothing
  envelope TEXT NOT NULL,          -- DSSE JSON, canonical (RFC 8785)
  created_ms BIGINT NOT NULL
);
CREATE INDEX statement_release ON statement (release_id);

CREATE TABLE approval (
  release_id TEXT NOT NULL REFERENCES release(id),
  account_id TEXT NOT NULL REFERENCES account(id),
  verdict TEXT NOT NULL,           -- approve | reject
  reason TEXT NOT NULL,
  statement_id TEXT NOT NULL REFERENCES statement(id),
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (release_id, account_id)
);

CREATE TABLE dial_change (          -- every turn of a dial, up or down, applied
  release_id TEXT NOT NULL REFERENCES release(id),
  position BIGINT NOT NULL,
  weights_from TEXT NOT NULL,
  weights_to TEXT NOT NULL,
  inference_from TEXT NOT NULL,
  inference_to TEXT NOT NULL,
  decision_id TEXT,                -- statement; null for a turn downwards
  actor_id TEXT NOT NULL REFERENCES account(id),
  effective_ms BIGINT NOT NULL,
  PRIMARY KEY (release_id, position)
);

CREATE TABLE withdrawal (
  release_id TEXT PRIMARY KEY REFERENCES release(id),
  advisory_id TEXT NOT NULL UNIQUE,
  reason TEXT NOT NULL,
  actor_id TEXT NOT NULL REFERENCES account(id),
  statement_id TEXT REFERENCES statement(id),
  withdrawn_ms BIGINT NOT NULL
);

-- oversight/ owns: event
CREATE TABLE event (
  id TEXT PRIMARY KEY,
  at_ms BIGINT NOT NULL,
  action TEXT NOT NULL,            -- subject:action, e.g. repo:create, release:approve
  actor_id TEXT,                   -- null: the hub itself, or somebody not logged in
  repo_id TEXT,
  release_id TEXT,
  detail TEXT NOT NULL             -- JSON
);
CREATE INDEX event_at ON event (at_ms);

-- tlog/ owns: log_entry, log_head
CREATE TABLE log_entry (
  position BIGINT PRIMARY KEY,     -- 0-based index in the log
  dedup_key TEXT NOT NULL UNIQUE,  -- appended twice, it is the same entry
  leaf TEXT NOT NULL,              -- the entry's bytes (ASCII)
  nonce TEXT NOT NULL,             -- hex of 32 bytes; opens the commitment
  appended_ms BIGINT NOT NULL
);

CREATE TABLE log_head (
  id BIGINT PRIMARY KEY,           -- always 1
  size BIGINT NOT NULL,            -- entries that have a position; owned by the sequencer, compare-and-swap
  published_size BIGINT NOT NULL,  -- entries whose tiles and checkpoint are out
  checkpoint TEXT NOT NULL         -- last signed checkpoint note; empty before the first
);
INSERT INTO log_head (id, size, published_size, checkpoint) VALUES (1, 0, 0, '');
