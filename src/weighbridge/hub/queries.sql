-- name: repo_by_name
-- The live repo of that name; else its tombstone, if a release of it was ever out.
SELECT id, type, namespace_id, namespace, name, policy, gated, wish, created_by, created_ms, updated_ms, deleted_ms
FROM repo p
WHERE type = :type AND full_name_key = :full_name_key
  AND (deleted_ms IS NULL
       OR EXISTS (SELECT 1 FROM release r WHERE r.repo_id = p.id AND r.commit_oid IS NOT NULL))
ORDER BY CASE WHEN deleted_ms IS NULL THEN 0 ELSE 1 END, deleted_ms DESC LIMIT 1

-- name: repo_by_id
SELECT id, type, namespace_id, namespace, name, policy, gated, wish, created_by, created_ms, updated_ms, deleted_ms
FROM repo WHERE id = :id

-- name: insert_repo
INSERT INTO repo (id, type, namespace_id, namespace, name, full_name_key, policy, gated, wish, created_by, created_ms,
                  updated_ms, deleted_ms)
VALUES (:id, :type, :namespace_id, :namespace, :name, :full_name_key, :policy, :gated, :wish, :created_by, :created_ms,
        :created_ms, NULL)

-- name: update_repo
UPDATE repo SET gated = :gated, wish = :wish, policy = :policy, updated_ms = :now_ms WHERE id = :id

-- name: touch_repo
UPDATE repo SET updated_ms = :now_ms WHERE id = :id

-- name: delete_repo
UPDATE repo SET deleted_ms = :now_ms, updated_ms = :now_ms WHERE id = :id AND deleted_ms IS NULL

-- name: standing_releases
-- Releases of a repo that are out and not withdrawn: what keeps it from being deleted.
SELECT r.number FROM release r LEFT JOIN withdrawal w ON w.release_id = r.id
WHERE r.repo_id = :repo_id AND r.commit_oid IS NOT NULL AND w.release_id IS NULL ORDER BY r.number

-- name: running_releases
SELECT number FROM release WHERE repo_id = :repo_id AND state IN ('running', 'waiting') ORDER BY number

-- name: insert_commit
INSERT INTO git_commit (repo_id, oid, tree_oid, parent_oid, kind, title, message, author_id, committed_ms, object,
                        file_count, size_bytes, card, attributes)
VALUES (:repo_id, :oid, :tree_oid, :parent_oid, :kind, :title, :message, :author_id, :committed_ms, :object,
        :file_count, :size_bytes, :card, :attributes)

-- name: commit_by_oid
SELECT c.repo_id, c.oid, c.tree_oid, c.parent_oid, c.kind, c.title, c.message, c.author_id, a.name AS author,
       c.committed_ms, c.file_count, c.size_bytes, c.card
FROM git_commit c JOIN account a ON a.id = c.author_id WHERE c.repo_id = :repo_id AND c.oid = :oid

-- name: commit_attributes
SELECT attributes FROM git_commit WHERE repo_id = :repo_id AND oid = :oid

-- name: ancestors
-- A commit and its parents, newest first.
WITH RECURSIVE line (oid, parent_oid, depth) AS (
  SELECT c.oid, c.parent_oid, 0 FROM git_commit c WHERE c.repo_id = :repo_id AND c.oid = :oid
  UNION ALL
  SELECT c.oid, c.parent_oid, line.depth + 1
  FROM line JOIN git_commit c ON c.repo_id = :repo_id AND c.oid = line.parent_oid
  WHERE line.depth < :deepest
)
SELECT c.repo_id, c.oid, c.tree_oid, c.parent_oid, c.kind, c.title, c.message, c.author_id, a.name AS author,
       c.committed_ms, c.file_count, c.size_bytes, c.card
FROM line JOIN git_commit c ON c.repo_id = :repo_id AND c.oid = line.oid JOIN account a ON a.id = c.author_id
WHERE line.depth >= :skip ORDER BY line.depth

-- name: insert_file
INSERT INTO revision_file (repo_id, commit_oid, path, folder, kind, oid, sha256, size_bytes, pointer_size_bytes)
VALUES (:repo_id, :commit_oid, :path, :folder, :kind, :oid, :sha256, :size_bytes, :pointer_size_bytes)

-- name: copy_files
-- Every file and folder of one commit, for another.
INSERT INTO revision_file (repo_id, commit_oid, path, folder, kind, oid, sha256, size_bytes, pointer_size_bytes)
SELECT repo_id, :to_oid, path, folder, kind, oid, sha256, size_bytes, pointer_size_bytes
FROM revision_file WHERE repo_id = :repo_id AND commit_oid = :from_oid

-- name: all_files
SELECT path, kind, oid, sha256, size_bytes, pointer_size_bytes FROM revision_file
WHERE repo_id = :repo_id AND commit_oid = :commit_oid AND kind <> 'directory' ORDER BY path

-- name: folder_files
SELECT path, kind, oid, sha256, size_bytes, pointer_size_bytes FROM revision_file
WHERE repo_id = :repo_id AND commit_oid = :commit_oid AND folder = :folder AND path > :after
ORDER BY path LIMIT :most

-- name: tree_files
-- Everything below a folder, its path and a slash given as prefix; the empty prefix is the root.
SELECT path, kind, oid, sha256, size_bytes, pointer_size_bytes FROM revision_file
WHERE repo_id = :repo_id AND commit_oid = :commit_oid AND path > :after
  AND substr(path, 1, :prefix_characters) = :prefix
ORDER BY path LIMIT :most

-- name: file_by_path
SELECT path, kind, oid, sha256, size_bytes, pointer_size_bytes FROM revision_file
WHERE repo_id = :repo_id AND commit_oid = :commit_oid AND path = :path

-- name: files_by_path
SELECT path, kind, oid, sha256, size_bytes, pointer_size_bytes FROM revision_file
WHERE repo_id = :repo_id AND commit_oid = :commit_oid AND path IN (:path)

-- name: ref_by_name
SELECT name, oid, message FROM git_ref WHERE repo_id = :repo_id AND name = :name

-- name: refs
SELECT name, oid, message FROM git_ref WHERE repo_id = :repo_id ORDER BY name

-- name: set_ref
INSERT INTO git_ref (repo_id, name, oid, message, updated_ms) VALUES (:repo_id, :name, :oid, :message, :now_ms)
ON CONFLICT (repo_id, name) DO UPDATE SET oid = :oid, message = :message, updated_ms = :now_ms

-- name: delete_ref
DELETE FROM git_ref WHERE repo_id = :repo_id AND name = :name

-- name: pinning_release
-- The newest release that is out and whose candidate or release commit this is.
SELECT number FROM release
WHERE repo_id = :repo_id AND commit_oid IS NOT NULL AND (candidate_oid = :oid OR commit_oid = :oid)
ORDER BY number DESC LIMIT 1

-- name: record_upload
-- Brought twice, it is one row.
INSERT INTO uploaded_blob (repo_id, account_id, sha256, git_oid, size_bytes, is_text, created_ms)
VALUES (:repo_id, :account_id, :sha256, :git_oid, :size_bytes, :is_text, :created_ms)
ON CONFLICT (repo_id, account_id, sha256) DO NOTHING

-- name: known_uploads
-- Of these digests, the ones that this account brought to this repo, or that lie in an author's commit of it.
SELECT u.sha256, u.git_oid, u.size_bytes, u.is_text FROM uploaded_blob u
WHERE u.repo_id = :repo_id AND u.sha256 IN (:sha256)
  AND (u.account_id = :account_id
       OR EXISTS (SELECT 1 FROM revision_file f
                  JOIN git_commit c ON c.repo_id = f.repo_id AND c.oid = f.commit_oid AND c.kind = 'author'
                  WHERE f.repo_id = u.repo_id AND f.sha256 = u.sha256))

-- name: standing
-- All that binds an account to a repo: roles, the cohort (by itself or by an organisation of its), a request for access.
SELECT 'role' AS tie, g.role AS value FROM role_grant g
WHERE g.account_id = :account_id AND g.scope_id IN ('hub', :namespace_id, :repo_id)
  AND (g.scope_kind <> 'hub' OR g.role IN ('admin', 'reviewer', 'auditor'))
UNION ALL
SELECT 'partner' AS tie, '' AS value FROM cohort_member m
WHERE m.repo_id = :repo_id
  AND (m.account_id = :account_id
       OR m.account_id IN (SELECT g.scope_id FROM role_grant g
                           WHERE g.account_id = :account_id AND g.scope_kind = 'organisation'
                             AND g.role IN ('read', 'contribute', 'write', 'admin')))
UNION ALL
SELECT 'request' AS tie, q.status AS value FROM access_request q
WHERE q.repo_id = :repo_id AND q.account_id = :account_id

-- name: newest_releases
-- Releases by number downwards that the dials, a review under way or an audit show; with their commit.
SELECT r.number, r.state AS release_state, r.weights, r.inference, r.candidate_oid, r.commit_oid,
       w.advisory_id, w.reason, w.withdrawn_ms,
       c.repo_id, c.oid, c.tree_oid, c.parent_oid, c.kind, c.title, c.message, c.author_id, a.name AS author,
       c.committed_ms, c.file_count, c.size_bytes, c.card
FROM release r
JOIN git_commit c ON c.repo_id = r.repo_id AND c.oid = COALESCE(r.commit_oid, r.candidate_oid)
JOIN account a ON a.id = c.author_id
LEFT JOIN withdrawal w ON w.release_id = r.id
WHERE r.repo_id = :repo_id AND r.number <= :highest
  AND ((r.commit_oid IS NOT NULL
        AND (r.weights IN ('gated', 'public') OR r.inference IN ('gated', 'public')
             OR (:sees_partners = 1 AND (r.weights = 'partners' OR r.inference = 'partners'))
             OR (:sees_internal = 1 AND (r.weights = 'internal' OR r.inference = 'internal'))))
       OR (:reviews = 1 AND r.state IN ('running', 'waiting'))
       OR :audits = 1)
ORDER BY r.number DESC LIMIT :most

-- name: releases_of_commit
-- The releases whose candidate or release commit this is, by number downwards.
SELECT r.number, r.state AS release_state, r.weights, r.inference, r.candidate_oid, r.commit_oid,
       w.advisory_id, w.reason, w.withdrawn_ms,
       c.repo_id, c.oid, c.tree_oid, c.parent_oid, c.kind, c.title, c.message, c.author_id, a.name AS author,
       c.committed_ms, c.file_count, c.size_bytes, c.card
FROM release r
JOIN git_commit c ON c.repo_id = r.repo_id AND c.oid = COALESCE(r.commit_oid, r.candidate_oid)
JOIN account a ON a.id = c.author_id
LEFT JOIN withdrawal w ON w.release_id = r.id
WHERE r.repo_id = :repo_id AND (r.candidate_oid = :oid OR r.commit_oid = :oid)
ORDER BY r.number DESC

-- name: release_by_number
SELECT r.number, r.state AS release_state, r.weights, r.inference, r.candidate_oid, r.commit_oid,
       w.advisory_id, w.reason, w.withdrawn_ms,
       c.repo_id, c.oid, c.tree_oid, c.parent_oid, c.kind, c.title, c.message, c.author_id, a.name AS author,
       c.committed_ms, c.file_count, c.size_bytes, c.card
FROM release r
JOIN git_commit c ON c.repo_id = r.repo_id AND c.oid = COALESCE(r.commit_oid, r.candidate_oid)
JOIN account a ON a.id = c.author_id
LEFT JOIN withdrawal w ON w.release_id = r.id
WHERE r.repo_id = :repo_id AND r.number = :number

-- name: writer_ref
-- What a ref names, for a writer, with the release that the commit is of, if any.
SELECT r.number, r.weights, r.inference, w.advisory_id, w.reason, w.withdrawn_ms,
       c.repo_id, c.oid, c.tree_oid, c.parent_oid, c.kind, c.title, c.message, c.author_id, a.name AS author,
       c.committed_ms, c.file_count, c.size_bytes, c.card
FROM git_ref g
JOIN git_commit c ON c.repo_id = g.repo_id AND c.oid = g.oid
JOIN account a ON a.id = c.author_id
LEFT JOIN release r ON r.repo_id = c.repo_id AND r.commit_oid = c.oid
LEFT JOIN withdrawal w ON w.release_id = r.id
WHERE g.repo_id = :repo_id AND g.name IN (:name, :other_name)
ORDER BY CASE WHEN g.name = :name THEN 0 ELSE 1 END LIMIT 1

-- name: writer_commit
-- A commit by id, for a writer, with the release that it is of, if any.
SELECT r.number, r.weights, r.inference, w.advisory_id, w.reason, w.withdrawn_ms,
       c.repo_id, c.oid, c.tree_oid, c.parent_oid, c.kind, c.title, c.message, c.author_id, a.name AS author,
       c.committed_ms, c.file_count, c.size_bytes, c.card
FROM git_commit c
JOIN account a ON a.id = c.author_id
LEFT JOIN release r ON r.repo_id = c.repo_id AND r.commit_oid = c.oid
LEFT JOIN withdrawal w ON w.release_id = r.id
WHERE c.repo_id = :repo_id AND c.oid = :oid

-- name: dials_out
-- The dials of every release that is out and not withdrawn.
SELECT r.weights, r.inference FROM release r LEFT JOIN withdrawal w ON w.release_id = r.id
WHERE r.repo_id = :repo_id AND r.commit_oid IS NOT NULL AND w.release_id IS NULL

-- name: visible_repos
-- Repos that are not hidden from a reader, downwards by the date of what the reader sees of them; or by creation, which
-- for who is no writer is the first release that is open to them.
-- level 3 writer, 2 internal, 1 partner, 0 anyone; the same rules as access.py, and the property test compares them.
WITH known AS (
  SELECT p.id AS repo_id,
    CASE WHEN :account_id = '' OR (:bound_repo_id <> '' AND :bound_repo_id <> p.id) THEN '' ELSE :account_id END AS who
  FROM repo p
  WHERE p.type = :type
    AND (p.deleted_ms IS NULL
         OR EXISTS (SELECT 1 FROM release r WHERE r.repo_id = p.id AND r.commit_oid IS NOT NULL))
    AND (:namespace_key = '' OR p.full_name_key LIKE :namespace_pattern ESCAPE '!')
    AND (:search = '' OR p.full_name_key LIKE :search ESCAPE '!')
), standing AS (
  SELECT k.repo_id,
    CASE
      WHEN k.who = '' THEN 0
      WHEN p.deleted_ms IS NULL AND (:hub_admin = 1 OR p.namespace_id = k.who OR EXISTS (
             SELECT 1 FROM role_grant g WHERE g.account_id = k.who AND g.scope_id IN (p.id, p.namespace_id)
             AND g.role IN ('write', 'admin'))) THEN 3
      WHEN :hub_admin = 1 OR p.namespace_id = k.who OR EXISTS (
             SELECT 1 FROM role_grant g WHERE g.account_id = k.who AND g.scope_id IN (p.id, p.namespace_id)
             AND g.role IN ('read', 'contribute', 'write', 'admin')) THEN 2
      WHEN EXISTS (
             SELECT 1 FROM cohort_member m WHERE m.repo_id = p.id AND (m.account_id = k.who OR m.account_id IN (
               SELECT g.scope_id FROM role_grant g WHERE g.account_id = k.who AND g.scope_kind = 'organisation'
               AND g.role IN ('read', 'contribute', 'write', 'admin')))) THEN 1
      ELSE 0 END AS level,
    CASE WHEN k.who <> '' AND (:hub_reviewer = 1 OR EXISTS (
           SELECT 1 FROM role_grant g WHERE g.account_id = k.who AND g.scope_id IN (p.id, p.namespace_id)
           AND g.role = 'reviewer')) THEN 1 ELSE 0 END AS reviews,
    CASE WHEN k.who <> '' AND (:hub_auditor = 1 OR EXISTS (
           SELECT 1 FROM role_grant g WHERE g.account_id = k.who AND g.scope_id IN (p.id, p.namespace_id)
           AND g.role = 'auditor')) THEN 1 ELSE 0 END AS audits,
    (SELECT q.status FROM access_request q WHERE q.repo_id = p.id AND q.account_id = k.who) AS request
  FROM known k JOIN repo p ON p.id = k.repo_id
), chosen AS (
  SELECT s.repo_id, s.level, s.reviews, s.audits, s.request,
    CASE WHEN s.level = 3 THEN NULL ELSE COALESCE(
      (SELECT r.id FROM release r
       WHERE r.repo_id = s.repo_id AND r.commit_oid IS NOT NULL
         AND (r.weights IN ('gated', 'public') OR r.inference IN ('gated', 'public')
              OR (s.level >= 1 AND (r.weights = 'partners' OR r.inference = 'partners'))
              OR (s.level >= 2 AND (r.weights = 'internal' OR r.inference = 'internal')))
       ORDER BY r.number DESC LIMIT 1),
      CASE WHEN s.reviews = 1 THEN
        (SELECT r.id FROM release r WHERE r.repo_id = s.repo_id AND r.state IN ('running', 'waiting')
         ORDER BY r.number DESC LIMIT 1) ELSE NULL END,
      CASE WHEN s.audits = 1 THEN
        (SELECT r.id FROM release r WHERE r.repo_id = s.repo_id ORDER BY r.number DESC LIMIT 1) ELSE NULL END
    ) END AS release_id
  FROM standing s
), shown AS (
  SELECT p.id AS p_id, p.type AS p_type, p.namespace_id, p.namespace, p.name AS p_name, p.policy, p.gated, p.wish,
         p.created_by, p.created_ms, p.updated_ms, p.deleted_ms,
         h.level, h.reviews, h.audits, h.request,
         r.number, r.state AS release_state, r.weights, r.inference, r.candidate_oid, r.commit_oid,
         w.advisory_id, w.reason, w.withdrawn_ms,
         c.repo_id, c.oid, c.tree_oid, c.parent_oid, c.kind, c.title, c.message, c.author_id, a.name AS author,
         c.committed_ms, c.file_count, c.size_bytes, c.card,
         CASE
           WHEN :by_creation = 0 THEN c.committed_ms
           WHEN h.level = 3 THEN p.created_ms
           ELSE COALESCE(
             (SELECT MIN(c2.committed_ms) FROM release r2
              JOIN git_commit c2 ON c2.repo_id = r2.repo_id AND c2.oid = COALESCE(r2.commit_oid, r2.candidate_oid)
              WHERE r2.repo_id = p.id
                AND ((r2.commit_oid IS NOT NULL
                      AND (r2.weights IN ('gated', 'public') OR r2.inference IN ('gated', 'public')
                           OR (h.level >= 1 AND (r2.weights = 'partners' OR r2.inference = 'partners'))
                           OR (h.level >= 2 AND (r2.weights = 'internal' OR r2.inference = 'internal'))))
                     OR (h.reviews = 1 AND r2.state IN ('running', 'waiting'))
                     OR h.audits = 1)), c.committed_ms)
         END AS sort_key
  FROM chosen h
  JOIN repo p ON p.id = h.repo_id
  LEFT JOIN git_ref m ON h.level = 3 AND m.repo_id = p.id AND m.name = 'refs/heads/main'
  LEFT JOIN release r ON r.id = h.release_id
  LEFT JOIN withdrawal w ON w.release_id = r.id
  JOIN git_commit c ON c.repo_id = p.id AND c.oid = COALESCE(m.oid, r.commit_oid, r.candidate_oid)
  JOIN account a ON a.id = c.author_id
)
SELECT * FROM shown
WHERE sort_key < :before_key OR (sort_key = :before_key AND p_id < :before_id)
ORDER BY sort_key DESC, p_id DESC LIMIT :most

-- name: add_partner
INSERT INTO cohort_member (repo_id, account_id, created_ms) VALUES (:repo_id, :account_id, :now_ms)
ON CONFLICT (repo_id, account_id) DO NOTHING

-- name: remove_partner
DELETE FROM cohort_member WHERE repo_id = :repo_id AND account_id = :account_id

-- name: partners
SELECT a.id, a.uri, a.kind, a.name, a.full_name, a.policy, a.created_ms, a.disabled_ms
FROM cohort_member m JOIN account a ON a.id = m.account_id WHERE m.repo_id = :repo_id ORDER BY a.name_key

-- name: access_request
SELECT status FROM access_request WHERE repo_id = :repo_id AND account_id = :account_id

-- name: set_access_request
INSERT INTO access_request (repo_id, account_id, status, updated_ms) VALUES (:repo_id, :account_id, :status, :now_ms)
ON CONFLICT (repo_id, account_id) DO UPDATE SET status = :status, updated_ms = :now_ms

-- name: access_requests
SELECT q.status, q.updated_ms, a.id AS account_id, a.name AS account, a.full_name
FROM access_request q JOIN account a ON a.id = q.account_id
WHERE q.repo_id = :repo_id AND q.status = :status ORDER BY q.updated_ms DESC, a.name_key
