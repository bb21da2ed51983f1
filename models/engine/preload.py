"""What the process that workers are forked from imports once for all of them, named by `models.engine.host`."""

import importlib

from models.catalogue import discover

# Slow libraries that a worker's first run imports on its way: the data sets' loaders, and the compiler that torch
# pulls in with the first optimiser.
SLOW = ("models.engine.jobs", "sklearn.datasets", "torch._dynamo")
PACKAGES = ("losses", "methods", "data", "encoders")

for _name in SLOW:
    importlib.import_module(_name)
for _package in PACKAGES:
    discover(_package)
