-- name: insert_event
-- One event; always inside the transaction of the change that it tells of.
INSERT INTO event (id, at_ms, action, actor_id, repo_id, release_id, detail)
VALUES (:id, :at_ms, :action, :actor_id, :repo_id, :release_id, :detail)

-- name: events_of_repo
-- Newest first.
SELECT id, at_ms, action, actor_id, repo_id, release_id, detail
FROM event WHERE repo_id = :repo_id ORDER BY at_ms DESC, id DESC LIMIT :most

-- name: events
-- Newest first, of the whole hub.
SELECT id, at_ms, action, actor_id, repo_id, release_id, detail
FROM event ORDER BY at_ms DESC, id DESC LIMIT :most
