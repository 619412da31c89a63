"""`make bench`: cost and speed of the console compared with the vendor's own script, in one run.

Apart from the tests: nothing here asserts a time. docs/performance.md explains the table that it prints.
"""
