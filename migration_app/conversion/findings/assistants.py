"""Finding codes of assistants and of runs as ``responses.create`` arguments.

Imports only the shape of a finding's kind.
"""

from __future__ import annotations

from migration_app.conversion.findings.kinds import (
    BLOCKING,
    IN_SNAPSHOT,
    LOSSY,
    NOTE,
    TRANSFORMED,
    FindingKind,
)

ASSISTANT_KINDS: dict[str, FindingKind] = {
    "assistant_unreadable": FindingKind(
        BLOCKING, "The assistant is not an object but {shape}.", "Correct the archive and import it again."
    ),
    "model_missing": FindingKind(
        BLOCKING, "The assistant names no model.", "Choose a model and pass it when creating responses."
    ),
    "assistant_label_kept": FindingKind(
        NOTE, "The assistant's {fields} stay in the console: a response has none."
    ),
    "assistant_metadata_on_responses": FindingKind(
        TRANSFORMED,
        "The assistant's metadata ({count} pairs) becomes metadata of each response made with this prompt.",
        "Drop it from the call if responses should not carry it.",
    ),
    "prompt_variables": FindingKind(
        NOTE,
        "The instructions hold placeholders: {names}.",
        "responses.create fills none: the application must put their values in before each call.",
    ),
    "spec_refused": FindingKind(
        BLOCKING,
        "The target would refuse each call because of {what}: {reason}.",
        "Correct it by editing the prompt.",
    ),
    "truncation_as_in_runs": FindingKind(
        NOTE,
        "truncation is auto: runs cut long threads to fit the model by themselves, responses do only if asked to.",
        "The parameter is deprecated. Leave it out if conversations must never be cut silently.",
    ),
    "setting_refused_by_model": FindingKind(
        LOSSY, "The setting {name} is left out: the model {model} refuses it.", IN_SNAPSHOT
    ),
    "sampling_default_left_out": FindingKind(
        NOTE, "{name} is left out: it has its default, and the model {model} accepts no other."
    ),
    "setting_unusable": FindingKind(LOSSY, "The setting {name} is left out: {reason}.", IN_SNAPSHOT),
    "response_format_unknown": FindingKind(
        LOSSY, "The response format {type} is unknown and is left out.", IN_SNAPSHOT
    ),
    "response_format_completed": FindingKind(
        TRANSFORMED, "The response format lacked a usable {field}; it is carried as {value}."
    ),
    "tools_unreadable": FindingKind(LOSSY, "The tools are not a list but {shape}.", IN_SNAPSHOT),
    "tool_unreadable": FindingKind(LOSSY, "A tool cannot be carried: {reason}.", IN_SNAPSHOT),
    "tool_type_unknown": FindingKind(LOSSY, "A tool of the unknown type {type} is not carried.", IN_SNAPSHOT),
    "tool_type_not_carried": FindingKind(
        LOSSY,
        "A tool of the type {type} ({origin}) is not carried.",
        "Configure its successor by hand when creating responses. " + IN_SNAPSHOT,
    ),
    "function_parameters_completed": FindingKind(
        TRANSFORMED, "The function {name} has no parameters; it is carried with an empty parameter list."
    ),
    "function_parameters_parsed": FindingKind(
        TRANSFORMED,
        "The parameters of function {name} were JSON in a string; they are carried as an object.",
    ),
    "function_parameters_unreadable": FindingKind(
        LOSSY,
        "The parameters of function {name} cannot be read ({shape}); it is carried with an empty parameter list.",
        "Write the parameters again from the application's code.",
    ),
    "file_search_without_store": FindingKind(
        LOSSY,
        "The file_search tool is not carried: the assistant names no vector store, and the target requires one.",
        "Threads brought their own stores: add the tool with the thread's store when creating responses.",
    ),
    "ranker_replaced": FindingKind(
        TRANSFORMED, "The ranker {ranker} does not exist in the target; it is replaced by auto."
    ),
    "files_over_limit": FindingKind(
        LOSSY,
        "The code interpreter names {count} files, a container takes at most 50; these are left out: {files}.",
        IN_SNAPSHOT,
    ),
    "v1_files_to_container": FindingKind(
        TRANSFORMED, "The assistant's v1 files become files of the code interpreter's container: {files}."
    ),
    "v1_files_not_carried": FindingKind(
        LOSSY,
        "The assistant's v1 files are not carried: {files}.",
        "Put them into a vector store and add the file_search tool.",
    ),
    "tool_resources_unused": FindingKind(
        NOTE, "Tool resources without their tool stay in the console: {resources}."
    ),
}
