"""The checks of ``verify``, one file a noun. Each gives one line of detail, or raises with the reason.

    detail = check_files(case)                      # "7 files, 269.1 MB: every one as SHA256SUMS says"

A check leaves in the case what later checks build on; what an earlier check did not establish fails the later one too.
"""
