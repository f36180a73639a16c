"""Our own API, ``/api/weighbridge/v1`` (docs/format.md section 9): accounts, uploads, releases."""
