"""Real PostgreSQL and real S3 for hubs of many nodes."""

from tests.contracts.conftest import postgres, postgres_url, s3

__all__ = ["postgres", "postgres_url", "s3"]
