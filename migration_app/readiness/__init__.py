"""Whether prompts and code are ready for the switch: models that end, files and vector stores, function calls.

Beside the engine: nothing imports this room but pages, commands and jobs.
"""
