"""Where bytes and metadata are kept: blobs by sha256 (local folder, S3) and tables (SQLite, PostgreSQL)."""
