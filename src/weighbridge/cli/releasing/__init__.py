"""The author's side of a release: reads the folder, sends what the hub lacks, shows what becomes of it."""
