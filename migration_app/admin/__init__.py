"""The console's pages: lists, confirm pages, thread review, dashboard. Nothing imports this but Django.

A page registers itself when it is imported, so all modules below are: a folder more, or less, needs no line here. A web
request never calls an API: it writes down what was asked for and enqueues a job.
"""

import importlib
import pkgutil

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
