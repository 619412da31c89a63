"""The only room that imports the SDK: both APIs, as raw JSON, with errors that show whether the call may have acted.

It knows neither Django nor the models. Requests go through the SDK's low verbs: its authentication and
errors without its models, which real objects do not fit and which cost most of its CPU time.
"""
