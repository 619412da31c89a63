"""Large threads are converted in a process of its own, so that answers to all other threads need not wait.

``converter`` is the worker's side, ``process`` the other one, ``handover`` what goes from one to the other.
"""
