"""Finding codes of run steps, tool calls and runs, of items that the target refused or that are left out, of resources.

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

STEP_KINDS: dict[str, FindingKind] = {
    "step_unreadable": FindingKind(LOSSY, "The run step cannot be read: {reason}.", IN_SNAPSHOT),
    "step_type_unknown": FindingKind(
        LOSSY, "A run step of the unknown type {type} is not carried.", IN_SNAPSHOT
    ),
    "step_activities_kept": FindingKind(
        NOTE,
        "The run step records that the tools of a server were listed ({servers}); nothing was said or called.",
        "Foundry's activities. Configure the server when creating responses.",
    ),
    "step_not_completed": FindingKind(
        NOTE, "The run step's last known status is {status}; it and any error stay in the console."
    ),
    "step_empty": FindingKind(NOTE, "The run step lists no tool calls."),
    "step_calls_missing": FindingKind(
        LOSSY,
        "The run step was still in progress when it was recorded: its tool calls are not in the snapshot.",
        "Import an archive, or a list of the run's steps, that was made after the run had ended.",
    ),
    "step_message_missing": FindingKind(
        LOSSY,
        "The run step says that it made message {message_id}, which is not in the snapshot.",
        "If the message was deleted on purpose nothing is missing; else import an archive that has it.",
    ),
    "step_place_unknown": FindingKind(
        TRANSFORMED,
        "Where these tool calls belong is not known: {reason}. They are at the end of the conversation.",
        "Check the thread's page before relying on their order.",
    ),
    "tool_call_unreadable": FindingKind(
        LOSSY, "Tool call {number} is not an object but {shape}.", IN_SNAPSHOT
    ),
    "code_interpreter_as_note": FindingKind(
        TRANSFORMED,
        "Code interpreter call {call_id} is carried as a note with its code and {outputs} outputs.",
        "Its container is gone, and the target's own item needs one.",
    ),
    "code_interpreter_image_named": FindingKind(
        LOSSY,
        "The image {image} made by code interpreter call {call_id} is named and not shown.",
        "Download the file while it exists.",
    ),
    "code_interpreter_native": FindingKind(
        TRANSFORMED,
        "Code interpreter call {call_id} is carried as the target's own item, with container {container}.",
        "When the container expires, later responses may fail: give the thread the policy note then.",
    ),
    "code_interpreter_not_carried": FindingKind(
        LOSSY,
        "Code interpreter call {call_id} is not carried ({outputs} outputs): policy code_interpreter is "
        "drop_with_finding.",
        IN_SNAPSHOT,
    ),
    "code_interpreter_blocks": FindingKind(
        BLOCKING,
        "Code interpreter call {call_id}: policy code_interpreter is block.",
        "Choose another policy for this thread, or exclude it.",
    ),
    "file_search_as_note": FindingKind(
        TRANSFORMED,
        "File search call {call_id} is carried as a note with its {results} results.",
        "The source does not say what was searched for, which the target's own item requires.",
    ),
    "file_search_native": FindingKind(
        TRANSFORMED,
        "File search call {call_id} is carried as the target's own item, with its {results} results.",
    ),
    "file_search_options_kept": FindingKind(
        NOTE, "The ranking options of file search call {call_id} stay in the console: the item has none."
    ),
    "file_search_not_carried": FindingKind(
        LOSSY,
        "File search call {call_id} is not carried ({results} results): policy file_search is drop_with_finding.",
        IN_SNAPSHOT,
    ),
    "file_search_blocks": FindingKind(
        BLOCKING,
        "File search call {call_id}: policy file_search is block.",
        "Choose another policy for this thread, or exclude it.",
    ),
    "tool_call_as_note": FindingKind(
        TRANSFORMED,
        "Tool call {call_id} of the type {type} ({origin}) is carried as a note with all its data.",
        "The target has no item for it.",
    ),
    "tool_call_not_carried": FindingKind(
        LOSSY,
        "Tool call {call_id} of the type {type} ({origin}) is not carried: policy other_tool_calls is "
        "drop_with_finding.",
        IN_SNAPSHOT,
    ),
    "tool_call_blocks": FindingKind(
        BLOCKING,
        "Tool call {call_id} of the type {type} ({origin}): policy other_tool_calls is block.",
        "Choose another policy for this thread, or exclude it.",
    ),
    "tool_call_note_too_long": FindingKind(
        BLOCKING,
        "The note for tool call {call_id} would have {length} characters, the target takes at most 10,485,760; "
        "it is left out.",
        "Choose drop_with_finding for calls of this kind, or exclude the thread.",
    ),
    "function_call_as_note": FindingKind(
        TRANSFORMED,
        "Function call {call_id} ({name}) {reason}; it is carried as a note.",
        "A call without its output would make later responses fail.",
    ),
    "function_call_not_carried": FindingKind(
        LOSSY,
        "Function call {call_id} ({name}) {reason}; it is not carried: policy orphan_tool_calls is drop_with_finding.",
        "A call without its output would make later responses fail. " + IN_SNAPSHOT,
    ),
    "function_call_blocks": FindingKind(
        BLOCKING,
        "Function call {call_id} ({name}) {reason}: policy orphan_tool_calls is block.",
        "Choose another policy for this thread, or exclude it.",
    ),
    "function_text_too_long": FindingKind(
        BLOCKING,
        "The {field} of function call {call_id} has {length} characters, the target takes at most 10,485,760; "
        "neither call nor output is carried.",
        "Exclude the thread, or accept that the rest is sent without it.",
    ),
    "arguments_missing": FindingKind(
        TRANSFORMED, "Function call {call_id} has no arguments; it is carried with an empty object."
    ),
    "arguments_not_json": FindingKind(
        NOTE, "The arguments of function call {call_id} are not JSON; they are carried as they are."
    ),
    "arguments_not_string": FindingKind(
        TRANSFORMED, "The arguments of function call {call_id} were {shape}; they are carried as JSON text."
    ),
    "output_not_string": FindingKind(
        TRANSFORMED, "The output of function call {call_id} was {shape}; it is carried as JSON text."
    ),
    "call_id_missing": FindingKind(
        TRANSFORMED, "A function call has no id that is text or a whole number; it is carried as {call_id}."
    ),
    "call_id_not_string": FindingKind(
        TRANSFORMED, "The id of function call {call_id} was {shape}; it is carried as text."
    ),
    "call_id_shortened": FindingKind(
        TRANSFORMED,
        "The id of a function call has {length} characters, the target takes at most 64; it is carried as {call_id}.",
    ),
    "call_id_repeated": FindingKind(
        TRANSFORMED,
        "The call id {call_id} occurs more than once in the thread; this one is carried as {new_id}.",
    ),
}

RUN_KINDS: dict[str, FindingKind] = {
    "run_unreadable": FindingKind(LOSSY, "The run is not an object but {shape}.", IN_SNAPSHOT),
    "required_action_unreadable": FindingKind(
        LOSSY, "The run's required action cannot be read: {reason}.", IN_SNAPSHOT
    ),
    "run_not_completed": FindingKind(
        NOTE,
        "The run's last known status is {status}{reason}; that stays in the console.",
        "No action is needed.",
    ),
}

REFUSAL_KINDS: dict[str, FindingKind] = {
    "item_refused_reshaped": FindingKind(
        TRANSFORMED,
        "Item {number} ({kind}) is sent {fallback}, because the target refused it.",
        "Nothing of its content is lost.",
    ),
    "item_refused_replaced": FindingKind(
        LOSSY,
        "Item {number} ({kind}) is sent {fallback}, because the target refused it.",
        IN_SNAPSHOT,
    ),
    "item_refused": FindingKind(
        BLOCKING,
        "The target refused item {number} ({kind}) and every fallback.",
        "Exclude the thread, or choose a target that takes it.",
    ),
}

KEPT_KINDS: dict[str, FindingKind] = {
    "later_messages_left_out": FindingKind(
        LOSSY,
        "From here on {items} items (from number {position}) are not in the conversation: its application had "
        "continued it, and a person accepted it as is.",
        "Re-migrate if they are needed: the whole thread is then sent to a new conversation.",
    ),
    "accepted_from_other_plan": FindingKind(
        LOSSY,
        "The {items} items in the conversation differ from the snapshot's current plan, and a person accepted "
        "them as is.",
        IN_SNAPSHOT,
    ),
}

READ_BACK_KINDS: dict[str, FindingKind] = {
    "metadata_not_shown": FindingKind(
        NOTE,
        "The target does not return the conversation's metadata, so it could not be compared.",
        "Read one of these conversations from the target, and check its metadata.",
    ),
    "item_ids_not_shown": FindingKind(
        NOTE,
        "The target lists items without ids although it gave them some when they were appended, so they are "
        "compared by their content only.",
        "No action is needed, but to roll back, the target must list ids.",
    ),
}

RESOURCE_KINDS: dict[str, FindingKind] = {
    "resource_missing": FindingKind(
        LOSSY,
        "The target does not know {kind} {id}, which is needed {use}.",
        "Later responses will fail or answer without it. Upload it again and give its new id, or choose a policy "
        "that does not refer to it.",
    ),
    "resource_expired": FindingKind(
        LOSSY,
        "The target says that {kind} {id} has expired, which is needed {use}.",
        "Later responses will fail or answer without it. Create it again from its files while they exist.",
    ),
    "resource_gone_but_named": FindingKind(
        NOTE, "The target has no {kind} {id}, which the conversation names and does not use."
    ),
    "resource_unchecked": FindingKind(
        NOTE, "Whether the target has {kind} {id} could not be checked; it is needed {use}."
    ),
}
