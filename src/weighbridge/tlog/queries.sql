-- name: head
SELECT size, published_size, checkpoint FROM log_head WHERE id = 1

-- name: entry_by_dedup_key
SELECT position, leaf, nonce FROM log_entry WHERE dedup_key = :dedup_key

-- name: entry_by_position
SELECT position, leaf, nonce FROM log_entry WHERE position = :position

-- name: entries_between
-- Entries of positions start (inclusive) to stop (exclusive), in order.
SELECT position, leaf FROM log_entry WHERE position >= :start AND position < :stop ORDER BY position

-- name: take_position
-- Compare-and-swap: no row changes when another writer took the position.
UPDATE log_head SET size = :position + 1 WHERE id = 1 AND size = :position

-- name: insert_entry
INSERT INTO log_entry (position, dedup_key, leaf, nonce, appended_ms)
VALUES (:position, :dedup_key, :leaf, :nonce, :appended_ms)

-- name: swap_checkpoint
-- Compare-and-swap: no row changes when another publisher was faster.
UPDATE log_head SET published_size = :published_size, checkpoint = :checkpoint
WHERE id = 1 AND published_size = :old_size AND checkpoint = :old_checkpoint AND size >= :published_size
