"""Try-outs: a converted thread and a prompt are tried at the target in a conversation of their own, and judged.

Beside the engine: the folder can be deleted without the engine noticing.
"""
