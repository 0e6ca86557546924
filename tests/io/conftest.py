"""These tests run under the oldest TensorFlow that is supported, in an environment of their own.

`make test-io` makes it and runs them; elsewhere there is nothing here to collect.
"""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("tensorflow_io") else ["test_*.py"]
