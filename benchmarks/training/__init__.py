"""How fast and in how much memory we train, beside TRL: same models, token ids, order, losses, settings, one run.

    python -m benchmarks.training --trl /path/to/trl-venv/bin/python [--workload ppo-tiny-53,...] [--rounds 3]

`shared` and `trl_*` run under TRL's Python and import nothing of ours but one another.
"""
