-- name: hub_admins
-- How many accounts hold the admin role at the hub.
SELECT COUNT(*) AS holders FROM role_grant WHERE scope_kind = 'hub' AND scope_id = 'hub' AND role = 'admin'

-- name: hub_state
SELECT value FROM hub_state WHERE key = :key

-- name: releases_by_state
SELECT state, COUNT(*) AS releases FROM release GROUP BY state ORDER BY state
