"""What Weighbridge costs, against a peer in the same run on the same machine.

    make bench                          # everything, about five minutes; adds its rows to docs/performance.md
    python -m bench --only download --repeats 3 --no-write

Nothing here is asserted: an aim that is missed is shown as missed.
"""
