"""Documents: the list of a release's files, its model card, its bill of materials, and how to check it.

    change = complete_card(folder)                  # on the author's side, before anything is hashed
    sums = sha256sums(files)
    bom = build_bom(repo=…, files=…, card=…, facts=…, …)

The hub never changes an author's file: what the hub measured goes beside it, under ``.release/``.
"""
