"""The only room that imports the SDK: both APIs, as raw JSON, with errors that say what may have happened.

It knows neither Django nor the models. Requests go through the SDK's low verbs: its authentication and
errors without its models, which real objects do not fit and which cost most of its CPU time.
"""
