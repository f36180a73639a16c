-- name: insert_account
INSERT INTO account (id, uri, kind, name, name_key, full_name, password_hash, policy, created_ms, disabled_ms)
VALUES (:id, :uri, :kind, :name, :name_key, :full_name, NULL, :policy, :created_ms, NULL)

-- name: account_by_name
SELECT id, uri, kind, name, full_name, policy, created_ms, disabled_ms FROM account WHERE name_key = :name_key

-- name: account_by_id
SELECT id, uri, kind, name, full_name, policy, created_ms, disabled_ms FROM account WHERE id = :id

-- name: accounts
-- By name, from the one after the cursor.
SELECT id, uri, kind, name, full_name, policy, created_ms, disabled_ms
FROM account WHERE name_key > :after ORDER BY name_key LIMIT :most

-- name: disable_account
UPDATE account SET disabled_ms = :now_ms WHERE id = :id AND disabled_ms IS NULL

-- name: enable_account
UPDATE account SET disabled_ms = NULL WHERE id = :id

-- name: set_password_hash
UPDATE account SET password_hash = :password_hash WHERE id = :id

-- name: password_hash
SELECT id, password_hash FROM account WHERE name_key = :name_key AND kind = 'user' AND disabled_ms IS NULL

-- name: insert_grant
-- Granted twice, it is one grant.
INSERT INTO role_grant (account_id, scope_kind, scope_id, role, created_ms)
VALUES (:account_id, :scope_kind, :scope_id, :role, :created_ms)
ON CONFLICT (account_id, scope_kind, scope_id, role) DO NOTHING

-- name: delete_grant
DELETE FROM role_grant
WHERE account_id = :account_id AND scope_kind = :scope_kind AND scope_id = :scope_id AND role = :role

-- name: count_grants
-- How many accounts hold a role at one scope; used to keep the last admin.
SELECT COUNT(*) AS holders FROM role_grant
WHERE scope_kind = :scope_kind AND scope_id = :scope_id AND role = :role

-- name: grants_at
-- An account's grants that bear on a repo. A namespace's id is an account's, so the two scope ids cannot be confused.
SELECT scope_kind, role FROM role_grant
WHERE account_id = :account_id AND scope_id IN ('hub', :namespace_id, :repo_id)

-- name: grants_of_account
SELECT scope_kind, scope_id, role FROM role_grant WHERE account_id = :account_id AND scope_kind = :scope_kind

-- name: members_of
SELECT g.role, a.id, a.uri, a.kind, a.name, a.full_name, a.policy, a.created_ms, a.disabled_ms
FROM role_grant g JOIN account a ON a.id = g.account_id
WHERE g.scope_kind = 'organisation' AND g.scope_id = :organisation_id ORDER BY a.name_key

-- name: organisations_of
SELECT g.role, a.id, a.uri, a.kind, a.name, a.full_name, a.policy, a.created_ms, a.disabled_ms
FROM role_grant g JOIN account a ON a.id = g.scope_id
WHERE g.account_id = :account_id AND g.scope_kind = 'organisation' ORDER BY a.name_key

-- name: insert_token
INSERT INTO token (id, account_id, sha256, kind, name, scopes, repo_id, created_ms, expires_ms, revoked_ms)
VALUES (:id, :account_id, :sha256, :kind, :name, :scopes, :repo_id, :created_ms, :expires_ms, NULL)

-- name: token_by_sha256
SELECT id, account_id, revoked_ms FROM token WHERE sha256 = :sha256

-- name: token_by_id
SELECT id, account_id, kind, name, scopes, repo_id, created_ms, expires_ms, revoked_ms FROM token WHERE id = :id

-- name: tokens_of
SELECT id, account_id, kind, name, scopes, repo_id, created_ms, expires_ms, revoked_ms
FROM token WHERE account_id = :account_id AND kind = 'token' ORDER BY created_ms, id

-- name: revoke_token
UPDATE token SET revoked_ms = :now_ms WHERE id = :id AND revoked_ms IS NULL

-- name: close_session
UPDATE token SET revoked_ms = :now_ms WHERE sha256 = :sha256 AND kind = 'session' AND revoked_ms IS NULL

-- name: authenticate
-- The hot path of every request: a token and its account in one look.
SELECT t.id AS token_id, t.kind AS token_kind, t.name AS token_name, t.scopes, t.repo_id, t.created_ms AS token_created_ms,
       t.expires_ms, t.revoked_ms, a.id, a.uri, a.kind, a.name, a.full_name, a.policy, a.created_ms, a.disabled_ms
FROM token t JOIN account a ON a.id = t.account_id WHERE t.sha256 = :sha256
