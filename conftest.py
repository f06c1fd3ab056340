"""Examples in modules that need torch are left out where it is not installed."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["causalkit/evaluation/baselines/_*.py"]
