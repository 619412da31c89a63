"""Who acts and what is recorded: the audit trail, accounts and their groups, the user of a command.

Knows nothing of threads: every other room writes its events through here.
"""
