"""The hub's core: repos, revisions, refs, and ``access``, the one function that says who may read what."""
