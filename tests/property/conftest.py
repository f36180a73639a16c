"""Both databases, as the contract suites start them."""

from tests.contracts.conftest import database_url, db, empty_db, postgres, postgres_url

__all__ = ["database_url", "db", "empty_db", "postgres", "postgres_url"]
