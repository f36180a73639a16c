-- What the hub's hot paths look up: a folder's own entries, a release by its commit, a namespace's cohorts.

-- The folder that a path lies in, "" at the root: a listing that is not recursive is one range of an index.
ALTER TABLE revision_file ADD COLUMN folder TEXT NOT NULL DEFAULT '';
CREATE INDEX revision_file_folder ON revision_file (repo_id, commit_oid, folder, path);

CREATE INDEX release_commit ON release (repo_id, commit_oid);
CREATE INDEX git_ref_oid ON git_ref (repo_id, oid);
CREATE INDEX repo_updated ON repo (type, updated_ms);

-- The text of the revision's .gitattributes, so that a release commit and a preupload need not fetch the blob.
ALTER TABLE git_commit ADD COLUMN attributes TEXT NOT NULL DEFAULT '';
