"""Kill, stop and disturb publishing at every phase, over seeds; the oracle then compares the tables with the dumps.

- `processes`: forked attempts, which kill or stop themselves at a phase
- `scenes`: nights published before the disturbed one, and what the tables must hold after it
- `merge_points`: loading and merge killed, interleaved with another attempt or night, and two backfills at once
- `faults`: what goes wrong without the process being killed
- `spark_points`: the steps before the merge killed on the real jobs
- `reader`: a process that looks for partly published nights all the while
- `runner`: the list of all points, and their run over seeds
"""
