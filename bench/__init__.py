"""`make bench`: what the console costs and how fast it is, against the vendor's own script, in one run.

Apart from the tests: nothing here asserts a time. docs/performance.md explains the table that it prints.
"""
