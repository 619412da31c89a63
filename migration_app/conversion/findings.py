"""The one table of finding codes: how severe each is, what it tells an operator, what to do about it.

Everything else refers to it by code; docs/conversion.md names every code, and a test says so. Texts hold
ids, type names and counts, never message content. Imports only ``contracts``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from migration_app.contracts import Severity


@dataclasses.dataclass(frozen=True, slots=True)
class FindingKind:
    """What all findings of one code share; ``text`` is a ``str.format`` template."""

    severity: Severity
    text: str
    advice: str = ""


_NOTE, _TRANSFORMED, _LOSSY, _BLOCKING = Severity
_IN_SNAPSHOT = "The snapshot holds it whole."

_THREAD_KINDS: dict[str, FindingKind] = {
    "thread_object_missing": FindingKind(
        _NOTE,
        "The thread object itself was not archived, so its metadata and tool resources are unknown.",
        "Import the thread object if you have it.",
    ),
    "tool_resources_kept": FindingKind(
        _NOTE,
        "The thread's tool resources stay in the console: {resources}.",
        "Give these ids to the tools when the application creates responses.",
    ),
    "metadata_unreadable": FindingKind(
        _LOSSY, "The metadata is not an object but {shape}, so no pair of it is carried.", _IN_SNAPSHOT
    ),
    "metadata_pair_over_limit": FindingKind(
        _LOSSY,
        "Metadata pair {number} ({key}) is left out: the source has more than 16 pairs.",
        "Metadata takes 16 pairs; the first 16 usable ones are carried. " + _IN_SNAPSHOT,
    ),
    "metadata_pair_too_long": FindingKind(
        _LOSSY,
        "Metadata pair {number} ({key}) is left out: its key has {key_length} characters (at most 64), "
        "its value {value_length} (at most 512).",
        "It is left out rather than cut. " + _IN_SNAPSHOT,
    ),
    "metadata_value_missing": FindingKind(
        _LOSSY, "Metadata pair {number} ({key}) is left out: its value is null."
    ),
    "metadata_value_as_text": FindingKind(
        _TRANSFORMED, "The value of metadata pair {number} ({key}) was {shape}; it is carried as JSON text."
    ),
    "thread_id_not_added": FindingKind(
        _NOTE,
        "The pair thread_id could not be added to the conversation's metadata: {reason}.",
        "Find the conversation by the exported mapping instead.",
    ),
    "fields_unknown": FindingKind(
        _NOTE,
        "Fields that the console does not know stay in the snapshot: {names}.",
        "Tell the developers if any of them holds content.",
    ),
}

_MESSAGE_KINDS: dict[str, FindingKind] = {
    "message_unreadable": FindingKind(
        _BLOCKING, "The message is not an object but {shape}.", "Correct the archive and import it again."
    ),
    "role_unknown": FindingKind(
        _BLOCKING,
        "The message's role is {role}; only user and assistant can be carried, so it has no item.",
        "Correct the role in the archive and import it again, or exclude the thread.",
    ),
    "message_empty": FindingKind(_NOTE, "The message has no content, so it has no item."),
    "message_not_carried": FindingKind(
        _LOSSY,
        "None of the message's {count} parts could be carried, so it has no item.",
        "The findings on its parts say why. " + _IN_SNAPSHOT,
    ),
    "message_content_unknown": FindingKind(
        _LOSSY,
        "The message has no content where the API puts it, but fields that the console does not know: {names}.",
        "If one of them is its text, rename it to content in the archive and import it again.",
    ),
    "message_incomplete": FindingKind(
        _NOTE, "The message was cut short ({reason}); what there is of it is carried.", "No action is needed."
    ),
    "message_in_progress": FindingKind(
        _TRANSFORMED,
        "The message was still being written when it was archived; it is carried as incomplete.",
        "Import a later archive if the message was completed.",
    ),
    "message_status_unknown": FindingKind(
        _TRANSFORMED, "The message's status {status} is unknown; it is carried as completed."
    ),
    "message_metadata_kept": FindingKind(
        _NOTE, "The message's metadata ({size}) stays in the console: items carry none."
    ),
    "content_string": FindingKind(_NOTE, "The content is a plain string; it is carried as one text part."),
    "content_single_part": FindingKind(
        _NOTE, "The content is one part without a list; it is carried as that part."
    ),
    "part_unreadable": FindingKind(_LOSSY, "A content part is not an object but {shape}.", _IN_SNAPSHOT),
    "part_type_unknown": FindingKind(
        _LOSSY, "A content part of the unknown type {type} is not carried.", _IN_SNAPSHOT
    ),
    "part_fields_unknown": FindingKind(
        _LOSSY,
        "A part, annotation, call or tool has fields that the console does not know: {names}.",
        "Tell the developers if any of them holds content. " + _IN_SNAPSHOT,
    ),
    "text_plain_string": FindingKind(
        _NOTE, "The text part holds its text directly, without a value and annotations; the text is carried."
    ),
    "text_unreadable": FindingKind(_LOSSY, "A {type} part has no readable text but {shape}.", _IN_SNAPSHOT),
    "text_empty": FindingKind(_NOTE, "A {type} part with empty text is left out: some targets refuse it."),
    "text_too_long": FindingKind(
        _BLOCKING,
        "A text of {length} characters is left out: the target takes at most 10,485,760.",
        "Exclude the thread, or accept that the rest goes without it.",
    ),
    "lone_surrogate": FindingKind(
        _LOSSY,
        "The text holds code units that are no character (lone surrogates); each is replaced by U+FFFD.",
        "UTF-8 cannot carry them. Usually an emoji was cut in two before it was stored.",
    ),
    "json_too_deep": FindingKind(
        _LOSSY, "A value nested more than 200 levels deep is replaced by null below that.", _IN_SNAPSHOT
    ),
    "json_value_unusable": FindingKind(
        _LOSSY,
        "A number that JSON cannot carry (NaN, infinite or too long) is replaced by null.",
        _IN_SNAPSHOT,
    ),
    "refusal_as_text": FindingKind(
        _TRANSFORMED, "A refusal under a user message is carried as text: only assistants can refuse."
    ),
    "image_on_assistant": FindingKind(
        _LOSSY,
        "An image ({image}) under an assistant message is not carried: the target refuses images there.",
        "Download the file while it exists. " + _IN_SNAPSHOT,
    ),
    "image_unreadable": FindingKind(_LOSSY, "An {type} part names no usable {wanted}.", _IN_SNAPSHOT),
    "image_detail_unknown": FindingKind(
        _TRANSFORMED, "The image's detail {detail} is unknown; it is carried with detail auto."
    ),
    "image_too_long": FindingKind(
        _BLOCKING,
        "An image address of {length} characters is left out: the target takes at most 20,971,520.",
        "Upload the image as a file, or accept that the rest goes without it.",
    ),
    "address_encoded": FindingKind(
        _TRANSFORMED, "The address holds characters that addresses may not; they are percent-encoded."
    ),
}

_ANNOTATION_KINDS: dict[str, FindingKind] = {
    "annotations_unreadable": FindingKind(
        _LOSSY, "The annotations are not a list but {shape}.", _IN_SNAPSHOT
    ),
    "annotation_unreadable": FindingKind(
        _LOSSY, "The annotation of type {type} is not carried: it has no {wanted}.", _IN_SNAPSHOT
    ),
    "annotation_type_unknown": FindingKind(
        _LOSSY, "An annotation of the unknown type {type} is not carried; the text it marks is.", _IN_SNAPSHOT
    ),
    "annotation_on_user": FindingKind(
        _LOSSY,
        "An annotation ({type}) under a user message is not carried: user text has none in the target.",
    ),
    "annotation_without_text": FindingKind(
        _LOSSY,
        "An annotation ({type}) is not carried: the text it marks is not carried either.",
        _IN_SNAPSHOT,
    ),
    "annotation_moved": FindingKind(
        _TRANSFORMED,
        "The annotation's offsets did not fit its text; its marker was found at character {index} "
        "and it is carried there.",
    ),
    "annotation_not_located": FindingKind(
        _LOSSY,
        "The annotation's place is not known: its offsets do not fit and its marker is not in the text. "
        "It is carried at character {index}.",
        "The file or address it names arrives; only the place is a guess.",
    ),
    "citation_filename_unknown": FindingKind(
        _TRANSFORMED,
        "The name of the cited file {file_id} is not known; its id stands as the name.",
        "Import the file objects, or a live source's file list, to have names.",
    ),
    "citation_quote_kept": FindingKind(
        _LOSSY,
        "The citation's quote ({length} characters) is not carried: citations have none in the target.",
        _IN_SNAPSHOT,
    ),
    "citation_title_missing": FindingKind(
        _TRANSFORMED, "The cited address has no title; the address stands as the title."
    ),
}

_ATTACHMENT_KINDS: dict[str, FindingKind] = {
    "attachment_as_input_file": FindingKind(
        _TRANSFORMED,
        "The attached file {file_id} (for {tools}) is carried as an input_file part.",
        "Targets read some file types only; give others to the tools when creating responses.",
    ),
    "attachment_repeated": FindingKind(
        _NOTE, "The file {file_id} (here for {tools}) is attached more than once; it counts once."
    ),
    "attachment_cited": FindingKind(
        _NOTE,
        "The file {file_id} (for {tools}) attached by the assistant is named by an annotation that is carried.",
    ),
    "attachment_on_assistant": FindingKind(
        _LOSSY,
        "The file {file_id} (for {tools}) attached by the assistant is not carried: the target refuses files there.",
        "Download the file while it exists. " + _IN_SNAPSHOT,
    ),
    "attachment_unreadable": FindingKind(_LOSSY, "An attachment names no file: {shape}.", _IN_SNAPSHOT),
}

_STEP_KINDS: dict[str, FindingKind] = {
    "step_unreadable": FindingKind(_LOSSY, "The run step cannot be read: {reason}.", _IN_SNAPSHOT),
    "step_type_unknown": FindingKind(
        _LOSSY, "A run step of the unknown type {type} is not carried.", _IN_SNAPSHOT
    ),
    "step_not_completed": FindingKind(
        _NOTE, "The run step's last known status is {status}; it and any error stay in the console."
    ),
    "step_empty": FindingKind(_NOTE, "The run step lists no tool calls."),
    "step_message_missing": FindingKind(
        _LOSSY,
        "The run step says that it made message {message_id}, which is not in the snapshot.",
        "If the message was deleted on purpose nothing is missing; else import an archive that has it.",
    ),
    "step_place_unknown": FindingKind(
        _TRANSFORMED,
        "Nothing says when this step's tool calls were made; they stand at the end of the conversation.",
        "Look at the thread's page before relying on their order.",
    ),
    "tool_call_unreadable": FindingKind(
        _LOSSY, "Tool call {number} is not an object but {shape}.", _IN_SNAPSHOT
    ),
    "tool_call_type_unknown": FindingKind(
        _LOSSY, "Tool call {call_id} of the unknown type {type} is not carried.", _IN_SNAPSHOT
    ),
    "code_interpreter_not_carried": FindingKind(
        _LOSSY,
        "Code interpreter call {call_id} is not carried ({logs} log outputs, {images} images{files}).",
        "Its container is gone, and the target needs one. " + _IN_SNAPSHOT,
    ),
    "file_search_not_carried": FindingKind(
        _LOSSY,
        "File search call {call_id} is not carried ({results} results).",
        "The source does not say what was searched for, which the target asks for. " + _IN_SNAPSHOT,
    ),
    "v1_tool_not_carried": FindingKind(
        _LOSSY, "Tool call {call_id} of the Assistants v1 type {type} is not carried.", _IN_SNAPSHOT
    ),
    "foundry_tool_not_carried": FindingKind(
        _LOSSY, "Tool call {call_id} of the Foundry type {type} is not carried.", _IN_SNAPSHOT
    ),
    "function_call_without_output": FindingKind(
        _LOSSY,
        "Function call {call_id} ({name}) never got an output, so neither call nor output is carried.",
        "A call without its output would make later responses fail. " + _IN_SNAPSHOT,
    ),
    "function_call_unnamed": FindingKind(
        _LOSSY,
        "Function call {call_id} names no function, so neither call nor output is carried.",
        _IN_SNAPSHOT,
    ),
    "function_text_too_long": FindingKind(
        _BLOCKING,
        "The {field} of function call {call_id} has {length} characters, the target takes at most 10,485,760; "
        "neither call nor output is carried.",
        "Exclude the thread, or accept that the rest goes without it.",
    ),
    "arguments_missing": FindingKind(
        _TRANSFORMED, "Function call {call_id} has no arguments; it is carried with an empty object."
    ),
    "arguments_not_json": FindingKind(
        _NOTE, "The arguments of function call {call_id} are not JSON; they are carried as they are."
    ),
    "arguments_not_string": FindingKind(
        _TRANSFORMED, "The arguments of function call {call_id} were {shape}; they are carried as JSON text."
    ),
    "output_not_string": FindingKind(
        _TRANSFORMED, "The output of function call {call_id} was {shape}; it is carried as JSON text."
    ),
    "call_id_missing": FindingKind(_TRANSFORMED, "A function call has no id; it is carried as {call_id}."),
    "call_id_shortened": FindingKind(
        _TRANSFORMED,
        "The id of a function call has {length} characters, the target takes at most 64; it is carried as {call_id}.",
    ),
    "call_id_repeated": FindingKind(
        _TRANSFORMED,
        "The call id {call_id} occurs more than once in the thread; this one is carried as {new_id}.",
    ),
}

_RUN_KINDS: dict[str, FindingKind] = {
    "run_unreadable": FindingKind(_LOSSY, "The run is not an object but {shape}.", _IN_SNAPSHOT),
    "run_not_completed": FindingKind(
        _NOTE,
        "The run's last known status is {status}{reason}; that stays in the console.",
        "No action is needed.",
    ),
    "run_call_unfinished": FindingKind(
        _LOSSY,
        "The run waited for call {call_id} ({name}), which no step records; it is not carried.",
        "A call without its output would make later responses fail. " + _IN_SNAPSHOT,
    ),
}

_ASSISTANT_KINDS: dict[str, FindingKind] = {
    "assistant_unreadable": FindingKind(
        _BLOCKING, "The assistant is not an object but {shape}.", "Correct the archive and import it again."
    ),
    "model_missing": FindingKind(
        _BLOCKING, "The assistant names no model.", "Choose a model and pass it when creating responses."
    ),
    "assistant_label_kept": FindingKind(
        _NOTE, "The assistant's {fields} stay in the console: a response has none."
    ),
    "assistant_metadata_on_responses": FindingKind(
        _TRANSFORMED,
        "The assistant's metadata ({count} pairs) becomes metadata of each response made with this prompt.",
        "Drop it from the call if responses should not carry it.",
    ),
    "setting_unusable": FindingKind(_LOSSY, "The setting {name} is left out: {reason}.", _IN_SNAPSHOT),
    "response_format_unknown": FindingKind(
        _LOSSY, "The response format {type} is unknown and is left out.", _IN_SNAPSHOT
    ),
    "response_format_completed": FindingKind(
        _TRANSFORMED, "The response format lacked a usable {field}; it is carried as {value}."
    ),
    "tools_unreadable": FindingKind(_LOSSY, "The tools are not a list but {shape}.", _IN_SNAPSHOT),
    "tool_unreadable": FindingKind(_LOSSY, "A tool cannot be carried: {reason}.", _IN_SNAPSHOT),
    "tool_type_unknown": FindingKind(
        _LOSSY, "A tool of the unknown type {type} is not carried.", _IN_SNAPSHOT
    ),
    "tool_type_not_carried": FindingKind(
        _LOSSY,
        "A tool of the type {type} ({origin}) is not carried.",
        "Configure its successor by hand when creating responses. " + _IN_SNAPSHOT,
    ),
    "function_parameters_completed": FindingKind(
        _TRANSFORMED, "The function {name} has no parameters; it is carried with an empty parameter list."
    ),
    "function_parameters_parsed": FindingKind(
        _TRANSFORMED,
        "The parameters of function {name} were JSON in a string; they are carried as an object.",
    ),
    "function_parameters_unreadable": FindingKind(
        _LOSSY,
        "The parameters of function {name} cannot be read ({shape}); it is carried with an empty parameter list.",
        "Write the parameters anew from the application's code.",
    ),
    "file_search_without_store": FindingKind(
        _LOSSY,
        "The file_search tool is not carried: the assistant names no vector store, and the target asks for one.",
        "Threads brought their own stores: add the tool with the thread's store when creating responses.",
    ),
    "ranker_replaced": FindingKind(
        _TRANSFORMED, "The ranker {ranker} does not exist in the target; auto stands in its place."
    ),
    "files_over_limit": FindingKind(
        _LOSSY,
        "The code interpreter names {count} files, a container takes at most 50; these are left out: {files}.",
        _IN_SNAPSHOT,
    ),
    "v1_files_to_container": FindingKind(
        _TRANSFORMED, "The assistant's v1 files become files of the code interpreter's container: {files}."
    ),
    "v1_files_not_carried": FindingKind(
        _LOSSY,
        "The assistant's v1 files are not carried: {files}.",
        "Put them into a vector store and add the file_search tool.",
    ),
    "tool_resources_unused": FindingKind(
        _NOTE, "Tool resources without their tool stay in the console: {resources}."
    ),
}

KINDS: Mapping[str, FindingKind] = MappingProxyType(
    _THREAD_KINDS
    | _MESSAGE_KINDS
    | _ANNOTATION_KINDS
    | _ATTACHMENT_KINDS
    | _STEP_KINDS
    | _RUN_KINDS
    | _ASSISTANT_KINDS
)
"""Every finding code that conversion makes."""
