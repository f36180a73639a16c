-- name: release_by_id
SELECT * FROM release WHERE id = :id

-- name: release_by_number
SELECT * FROM release WHERE repo_id = :repo_id AND number = :number

-- name: releases_of_repo
SELECT r.*, w.withdrawn_ms FROM release r LEFT JOIN withdrawal w ON w.release_id = r.id
WHERE r.repo_id = :repo_id AND r.number < :below ORDER BY r.number DESC LIMIT :limit

-- name: same_release
SELECT r.* FROM release r LEFT JOIN withdrawal w ON w.release_id = r.id
WHERE r.repo_id = :repo_id AND r.digest = :digest AND r.candidate_oid = :candidate_oid
  AND r.weights_wanted = :weights AND r.inference_wanted = :inference AND r.policy_sha256 = :policy_sha256
  AND r.state IN ('running', 'waiting', 'released') AND w.release_id IS NULL
ORDER BY r.number DESC LIMIT 1

-- name: newest_number
SELECT COALESCE(MAX(number), 0) AS number FROM release WHERE repo_id = :repo_id

-- name: insert_release
INSERT INTO release (id, repo_id, number, candidate_oid, digest, author_id, weights_wanted, inference_wanted, weights,
  inference, policy, policy_sha256, policy_text, state, problem, commit_oid, created_ms, updated_ms)
VALUES (:id, :repo_id, :number, :candidate_oid, :digest, :author_id, :weights_wanted, :inference_wanted, 'none',
  'none', :policy, :policy_sha256, :policy_text, 'running', '', NULL, :now_ms, :now_ms)

-- name: set_release_state
UPDATE release SET state = :state, problem = :problem, updated_ms = :now_ms
WHERE id = :id AND state IN ('running', 'waiting')

-- name: touch_release
UPDATE release SET updated_ms = :now_ms WHERE id = :id

-- name: open_release
UPDATE release SET state = 'released', problem = '', weights = weights_wanted, inference = inference_wanted,
  commit_oid = :commit_oid, updated_ms = :now_ms
WHERE id = :id AND state IN ('running', 'waiting')

-- name: unfinished_releases
SELECT id FROM release WHERE state IN ('running', 'waiting') ORDER BY created_ms

-- name: unsigned_withdrawals
SELECT release_id FROM withdrawal WHERE statement_id IS NULL

-- name: begin_stage
INSERT INTO stage (release_id, position, name, state, started_ms, ended_ms, done_bytes, total_bytes, summary, reasons)
VALUES (:release_id, :position, :name, 'running', :now_ms, NULL, 0, :total_bytes, '', '[]')
ON CONFLICT (release_id, name) DO UPDATE SET state = 'running', ended_ms = NULL, summary = '', reasons = '[]',
  done_bytes = 0, total_bytes = excluded.total_bytes,
  started_ms = CASE WHEN stage.state IN ('running', 'waiting') THEN stage.started_ms ELSE excluded.started_ms END

-- name: move_stage
UPDATE stage SET done_bytes = :done_bytes WHERE release_id = :release_id AND name = :name AND done_bytes < :done_bytes

-- name: end_stage
UPDATE stage SET state = :state, ended_ms = :now_ms, done_bytes = total_bytes, summary = :summary, reasons = :reasons
WHERE release_id = :release_id AND name = :name

-- name: hold_stage
UPDATE stage SET state = 'waiting', ended_ms = NULL, summary = :summary, reasons = :reasons
WHERE release_id = :release_id AND name = :name

-- name: fail_open_stages
UPDATE stage SET state = 'failed', ended_ms = :now_ms, summary = :summary, reasons = :reasons
WHERE release_id = :release_id AND state IN ('running', 'waiting')

-- name: stages_of_release
SELECT * FROM stage WHERE release_id = :release_id ORDER BY position

-- name: candidate_files
SELECT path, kind, oid, sha256, size_bytes FROM revision_file
WHERE repo_id = :repo_id AND commit_oid = :commit_oid AND kind <> 'directory' ORDER BY path

-- name: commit_author
SELECT author_id FROM git_commit WHERE repo_id = :repo_id AND oid = :oid

-- name: authors_of_files
-- Who first pushed each file that is in this commit, whatever its path was then; not the .gitattributes of a new repo.
WITH carrying AS (
  SELECT f.sha256, c.author_id, c.committed_ms
  FROM revision_file f JOIN git_commit c ON c.repo_id = f.repo_id AND c.oid = f.commit_oid AND c.kind = 'author'
  WHERE f.repo_id = :repo_id AND f.sha256 IN (
    SELECT own.sha256 FROM revision_file own
    WHERE own.repo_id = :repo_id AND own.commit_oid = :commit_oid AND own.kind <> 'directory'
      AND own.sha256 <> :made_by_the_hub)
), earliest AS (
  SELECT sha256, MIN(committed_ms) AS committed_ms FROM carrying GROUP BY sha256
)
SELECT DISTINCT a.id, a.uri FROM carrying k
JOIN earliest e ON e.sha256 = k.sha256 AND e.committed_ms = k.committed_ms
JOIN account a ON a.id = k.author_id

-- name: drop_findings
DELETE FROM finding WHERE release_id = :release_id

-- name: insert_finding
INSERT INTO finding (release_id, position, rule, severity, file, at_byte, title, reason, remedy, reference)
VALUES (:release_id, :position, :rule, :severity, :file, :at_byte, :title, :reason, :remedy, :reference)

-- name: findings_of_release
SELECT rule, severity, file, at_byte, title, reason, remedy, reference FROM finding
WHERE release_id = :release_id ORDER BY position

-- name: blocking_findings
SELECT rule FROM finding WHERE release_id = :release_id AND severity = 'block'

-- name: put_document
INSERT INTO document (release_id, path, sha256, content) VALUES (:release_id, :path, :sha256, :content)
ON CONFLICT (release_id, path) DO UPDATE SET sha256 = excluded.sha256, content = excluded.content

-- name: document_by_path
SELECT content FROM document WHERE release_id = :release_id AND path = :path

-- name: put_preview
INSERT INTO preview (release_id, rules, decided_ms) VALUES (:release_id, :rules, :now_ms)
ON CONFLICT (release_id) DO UPDATE SET rules = excluded.rules, decided_ms = excluded.decided_ms

-- name: preview_of_release
SELECT rules FROM preview WHERE release_id = :release_id

-- name: insert_statement
INSERT INTO statement (id, release_id, kind, dedup_key, envelope, created_ms)
VALUES (:id, :release_id, :kind, :dedup_key, :envelope, :now_ms) ON CONFLICT (dedup_key) DO NOTHING

-- name: statement_by_key
SELECT * FROM statement WHERE dedup_key = :dedup_key

-- name: statements_of_release
SELECT id, kind, dedup_key, envelope, created_ms FROM statement WHERE release_id = :release_id ORDER BY created_ms, kind

-- name: insert_approval
INSERT INTO approval (release_id, account_id, verdict, reason, statement_id, created_ms)
VALUES (:release_id, :account_id, :verdict, :reason, :statement_id, :now_ms)
ON CONFLICT (release_id, account_id) DO NOTHING

-- name: approvals_of_release
SELECT a.account_id, a.verdict, a.reason, a.statement_id, a.created_ms, account.name, account.uri, account.disabled_ms
FROM approval a JOIN account ON account.id = a.account_id WHERE a.release_id = :release_id ORDER BY a.created_ms, a.account_id

-- name: approval_by_account
SELECT * FROM approval WHERE release_id = :release_id AND account_id = :account_id

-- name: insert_dial_change
INSERT INTO dial_change (release_id, position, weights_from, weights_to, inference_from, inference_to, decision_id,
  actor_id, effective_ms)
VALUES (:release_id, :position, :weights_from, :weights_to, :inference_from, :inference_to, :decision_id, :actor_id,
  :now_ms)

-- name: dial_changes_of_release
SELECT * FROM dial_change WHERE release_id = :release_id ORDER BY position

-- name: unsigned_lowerings
-- Releases with a turn downwards (no decision) that has no statement yet.
SELECT DISTINCT d.release_id FROM dial_change d
WHERE d.decision_id IS NULL AND NOT EXISTS (
  SELECT 1 FROM statement s WHERE s.dedup_key = d.release_id || :infix || CAST(d.position AS TEXT))

-- name: insert_withdrawal
INSERT INTO withdrawal (release_id, advisory_id, reason, actor_id, statement_id, withdrawn_ms)
VALUES (:release_id, :advisory_id, :reason, :actor_id, NULL, :now_ms) ON CONFLICT (release_id) DO NOTHING

-- name: sign_withdrawal
UPDATE withdrawal SET statement_id = :statement_id WHERE release_id = :release_id AND statement_id IS NULL

-- name: withdrawal_of_release
SELECT * FROM withdrawal WHERE release_id = :release_id

-- name: log_position
SELECT position FROM log_entry WHERE dedup_key = :dedup_key

-- name: hub_state
SELECT value FROM hub_state WHERE key = :key

-- name: put_hub_state
INSERT INTO hub_state (key, value) VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- name: keep_hub_state
INSERT INTO hub_state (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING

-- name: last_logged
SELECT MAX(appended_ms) AS appended_ms FROM log_entry

-- name: stage_of_release
SELECT * FROM stage WHERE release_id = :release_id AND name = :name

-- name: open_releases
SELECT r.* FROM release r LEFT JOIN withdrawal w ON w.release_id = r.id
WHERE r.repo_id = :repo_id AND r.state = 'released' AND w.release_id IS NULL ORDER BY r.number

-- name: turn_release
UPDATE release SET weights = :weights, inference = :inference, updated_ms = :now_ms WHERE id = :id
