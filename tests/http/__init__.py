# noqa: A005 (the package mirrors weighbridge.http; nothing here is imported by the bare name)
