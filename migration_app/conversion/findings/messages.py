"""Finding codes of threads, messages, their parts, annotations and attachments.

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

THREAD_KINDS: dict[str, FindingKind] = {
    "thread_object_missing": FindingKind(
        NOTE,
        "The thread object itself was not archived, so its metadata and tool resources are unknown.",
        "Import the thread object if you have it.",
    ),
    "thread_deleted": FindingKind(
        BLOCKING,
        "The source has deleted this thread; policy deletions is leave_out.",
        "Exclude it; or retry it under the policy carry, if what its owner deleted may be kept.",
    ),
    "thread_deleted_carried": FindingKind(
        NOTE, "The source has deleted this thread; policy deletions is carry.", "Check that it may be kept."
    ),
    "tool_resources_kept": FindingKind(
        NOTE,
        "The thread's tool resources stay in the console: {resources}.",
        "Give these ids to the tools when the application creates responses.",
    ),
    "metadata_unreadable": FindingKind(
        LOSSY, "The metadata is not an object but {shape}, so no pair of it is carried.", IN_SNAPSHOT
    ),
    "metadata_pair_over_limit": FindingKind(
        LOSSY,
        "Metadata pair {number} ({key}) is left out: the source has more than 16 pairs.",
        "Metadata takes 16 pairs; the first 16 usable ones are carried. " + IN_SNAPSHOT,
    ),
    "metadata_pair_too_long": FindingKind(
        LOSSY,
        "Metadata pair {number} ({key}) is left out: its key has {key_length} characters (at most 64), "
        "its value {value_length} (at most 512).",
        "It is left out rather than cut. " + IN_SNAPSHOT,
    ),
    "metadata_value_missing": FindingKind(
        LOSSY, "Metadata pair {number} ({key}) is left out: its value is null."
    ),
    "metadata_value_as_text": FindingKind(
        TRANSFORMED, "The value of metadata pair {number} ({key}) was {shape}; it is carried as JSON text."
    ),
    "thread_id_not_added": FindingKind(
        NOTE,
        "The pair thread_id could not be added to the conversation's metadata: {reason}.",
        "Find the conversation by the exported mapping instead.",
    ),
    "fields_unknown": FindingKind(
        NOTE,
        "Fields that the console does not know stay in the snapshot: {names}.",
        "Tell the developers if any of them holds content.",
    ),
}

MESSAGE_KINDS: dict[str, FindingKind] = {
    "message_deleted": FindingKind(
        LOSSY,
        "The source has deleted this message, so it is left out: policy deletions is leave_out.",
        IN_SNAPSHOT,
    ),
    "message_deleted_carried": FindingKind(
        NOTE,
        "The source has deleted this message; it is carried all the same: policy deletions is carry.",
        "Check that it may be kept.",
    ),
    "message_unreadable": FindingKind(
        BLOCKING, "The message is not an object but {shape}.", "Correct the archive and import it again."
    ),
    "role_unknown": FindingKind(
        BLOCKING,
        "The message's role is {role}; only user and assistant can be carried, so it has no item.",
        "Correct the role in the archive and import it again, or exclude the thread.",
    ),
    "message_empty": FindingKind(NOTE, "The message has no content, so it has no item."),
    "message_not_carried": FindingKind(
        LOSSY,
        "None of the message's {count} parts could be carried, so it has no item.",
        "The findings on its parts say why. " + IN_SNAPSHOT,
    ),
    "message_content_unknown": FindingKind(
        LOSSY,
        "The message has no content where the API puts it, but fields that the console does not know: {names}.",
        "If one of them is its text, rename it to content in the archive and import it again.",
    ),
    "message_incomplete": FindingKind(
        NOTE, "The message was cut short ({reason}); what there is of it is carried.", "No action is needed."
    ),
    "message_in_progress": FindingKind(
        TRANSFORMED,
        "The message was still being written when it was archived; it is carried as incomplete.",
        "Import a later archive if the message was completed.",
    ),
    "message_marked": FindingKind(
        TRANSFORMED,
        "The message gets a last text that says it was cut short: policy incomplete_messages is mark.",
    ),
    "message_skipped": FindingKind(
        LOSSY,
        "The message is {status} and is left out: policy incomplete_messages is skip.",
        "Choose another policy to carry what there is of it. " + IN_SNAPSHOT,
    ),
    "message_status_unknown": FindingKind(
        TRANSFORMED, "The message's status {status} is unknown; it is carried as completed."
    ),
    "message_metadata_kept": FindingKind(
        NOTE, "The message's metadata ({size}) stays in the console: items carry none."
    ),
    "content_string": FindingKind(NOTE, "The content is a plain string; it is carried as one text part."),
    "content_single_part": FindingKind(
        NOTE, "The content is one part without a list; it is carried as that part."
    ),
    "part_unreadable": FindingKind(LOSSY, "A content part is not an object but {shape}.", IN_SNAPSHOT),
    "part_type_unknown": FindingKind(
        LOSSY, "A content part of the unknown type {type} is not carried.", IN_SNAPSHOT
    ),
    "part_fields_unknown": FindingKind(
        LOSSY,
        "A part, annotation, call or tool has fields that the console does not know: {names}.",
        "Tell the developers if any of them holds content. " + IN_SNAPSHOT,
    ),
    "text_plain_string": FindingKind(
        NOTE, "The text part holds its text directly, without a value and annotations; the text is carried."
    ),
    "text_unreadable": FindingKind(LOSSY, "A {type} part has no readable text but {shape}.", IN_SNAPSHOT),
    "text_empty": FindingKind(NOTE, "A {type} part with empty text is left out: some targets refuse it."),
    "text_too_long": FindingKind(
        BLOCKING,
        "A text of {length} characters is left out: the target takes at most 10,485,760.",
        "Exclude the thread, or accept that the rest is sent without it.",
    ),
    "lone_surrogate": FindingKind(
        LOSSY,
        "The text holds code units that are no character (lone surrogates); each is replaced by U+FFFD.",
        "UTF-8 cannot carry them. Usually an emoji was cut in two before it was stored.",
    ),
    "json_too_deep": FindingKind(
        LOSSY, "A value nested more than 200 levels deep is replaced by null below that.", IN_SNAPSHOT
    ),
    "json_value_unusable": FindingKind(
        LOSSY,
        "A number that JSON cannot carry (NaN, infinite or too long) is replaced by null.",
        IN_SNAPSHOT,
    ),
    "refusal_as_text": FindingKind(
        TRANSFORMED, "A refusal under a user message is carried as text: only assistants can refuse."
    ),
    "image_on_assistant": FindingKind(
        LOSSY,
        "An image ({image}) under an assistant message is carried as a text that names it: the target refuses "
        "images there.",
        "Later responses read its name but do not see it. Download the file while it exists.",
    ),
    "image_in_developer_note": FindingKind(
        LOSSY,
        "An image ({image}) under an assistant message is named by a developer message after it: the target "
        "refuses images there.",
        "Later responses read its file id but do not see it. Download the file while it exists.",
    ),
    "image_blocks": FindingKind(
        BLOCKING,
        "An image ({image}) under an assistant message: policy assistant_images is block.",
        "Choose another policy for this thread, or exclude it.",
    ),
    "image_unreadable": FindingKind(LOSSY, "An {type} part names no usable {wanted}.", IN_SNAPSHOT),
    "image_detail_unknown": FindingKind(
        TRANSFORMED, "The image's detail {detail} is unknown; it is carried with detail auto."
    ),
    "image_too_long": FindingKind(
        BLOCKING,
        "An image address of {length} characters is left out: the target takes at most 20,971,520.",
        "Upload the image as a file, or accept that the rest is sent without it.",
    ),
    "address_encoded": FindingKind(
        TRANSFORMED, "The address holds characters that addresses may not; they are percent-encoded."
    ),
}

ANNOTATION_KINDS: dict[str, FindingKind] = {
    "annotations_unreadable": FindingKind(LOSSY, "The annotations are not a list but {shape}.", IN_SNAPSHOT),
    "annotation_unreadable": FindingKind(
        LOSSY, "The annotation of type {type} is not carried: it has no {wanted}.", IN_SNAPSHOT
    ),
    "annotation_type_unknown": FindingKind(
        LOSSY, "An annotation of the unknown type {type} is not carried; the text it marks is.", IN_SNAPSHOT
    ),
    "annotation_on_user": FindingKind(
        LOSSY,
        "An annotation ({type}) under a user message is not carried: user text has none in the target.",
    ),
    "annotation_without_text": FindingKind(
        LOSSY,
        "An annotation ({type}) is not carried: the text it marks is not carried either.",
        IN_SNAPSHOT,
    ),
    "annotation_moved": FindingKind(
        TRANSFORMED,
        "The annotation's offsets did not fit its text; its marker was found at character {index} "
        "and it is carried there.",
    ),
    "annotation_not_located": FindingKind(
        LOSSY,
        "The annotation's place is not known: its offsets do not fit and its marker is not in the text. "
        "It is carried at character {index}.",
        "The file or address it names arrives; only the place is a guess.",
    ),
    "citation_filename_unknown": FindingKind(
        TRANSFORMED,
        "The name of the cited file {file_id} is not known; its id serves as the name.",
        "Import the file objects, or a live source's file list, to have names.",
    ),
    "citation_quote_kept": FindingKind(
        LOSSY,
        "The citation's quote ({length} characters) is not carried: citations have none in the target.",
        IN_SNAPSHOT,
    ),
    "citation_title_missing": FindingKind(
        TRANSFORMED, "The cited address has no title; the address serves as the title."
    ),
}

ATTACHMENT_KINDS: dict[str, FindingKind] = {
    "attachment_as_input_file": FindingKind(
        TRANSFORMED,
        "The attached file {file_id} (for {tools}) is carried as an input_file part.",
        "Targets read some file types only; give others to the tools when creating responses.",
    ),
    "attachment_repeated": FindingKind(
        NOTE, "The file {file_id} (here for {tools}) is attached more than once; it counts once."
    ),
    "attachment_cited": FindingKind(
        NOTE,
        "The file {file_id} (for {tools}) attached by the assistant is named by an annotation that is carried.",
    ),
    "attachment_as_note": FindingKind(
        LOSSY,
        "The attached file {file_id} (for {tools}) is named by a text and not given: policy attachments is note.",
        "Give the file to the tools when creating responses.",
    ),
    "attachment_in_store": FindingKind(
        TRANSFORMED,
        "The attached file {file_id} (for {tools}) is not in the message: it is left to {store}.",
        "Give that to the tools when creating responses.",
    ),
    "attachment_without_store": FindingKind(
        LOSSY,
        "The attached file {file_id} (for {tools}) is not in the message, and the thread names no place that has it.",
        "Put the file into a vector store or a container, or choose another policy.",
    ),
    "attachment_on_assistant": FindingKind(
        LOSSY,
        "The file {file_id} (for {tools}) attached by the assistant is named by a text: the target takes none there.",
        "Download the file while it exists.",
    ),
    "attachment_unreadable": FindingKind(LOSSY, "An attachment names no file: {shape}.", IN_SNAPSHOT),
}
