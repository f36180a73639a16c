"""Evidence: what is signed, how, and how anybody checks it without trusting the hub that serves it.

    statement = predicates.inspection(Subject(repo="acme/m", digest=digest), result="PASSED", …)
    envelope = sign_statement(statement, load_or_create_p256(keys / "release.pem"))
    files = build_release_files(subject=…, statements=[envelope, …], …)      # model.sig and .release/*
    verify_folder(folder, parse_trust(text), decide=decide, now_ms=now_ms)   # one Check a line

Formats: ``docs/format.md`` sections 4 to 8. Nothing here knows HTTP, the database or the policy room.
"""
