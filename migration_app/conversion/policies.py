"""The policies as text: what each decides, what each choice does, why the default is the default.

For the page where an operator chooses, for preflight and for docs/conversion.md, as a test verifies.
Imports only ``contracts``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType


@dataclasses.dataclass(frozen=True, slots=True)
class PolicyText:
    """One policy: a title, its choices with what they do (the default first), and why that is the default."""

    title: str
    choices: Mapping[str, str]
    reason: str


_BLOCK = "nothing is sent; the thread is blocked until a person has chosen otherwise"
_DROP = "nothing in the conversation; a finding names what is left out, and the snapshot holds it"

POLICY_TEXTS: Mapping[str, PolicyText] = MappingProxyType(
    {
        "assistant_images": PolicyText(
            "Images under the assistant",
            {
                "placeholder": "a text in the image's place names its file or address",
                "developer_note": "a developer message right after names its file id, and nothing else",
                "block": _BLOCK,
            },
            "The target refuses images under the assistant. A text where the image was keeps the order of the "
            "answer, and has no more rank than the answer.",
        ),
        "code_interpreter": PolicyText(
            "Calls of the code interpreter",
            {
                "note": "an assistant message before the answer holds the code and its outputs whole",
                "native": "the target's own item, where the source names the container; else a note",
                "drop_with_finding": _DROP,
                "block": _BLOCK,
            },
            "Later questions refer to what was calculated. The target's own item needs a container, and one that "
            "has expired makes every later response fail.",
        ),
        "file_search": PolicyText(
            "Calls of file search",
            {
                "note": "an assistant message before the answer holds ranking options and results whole",
                "native": "the target's own item, where the source holds the queries; else a note",
                "drop_with_finding": _DROP,
                "block": _BLOCK,
            },
            "The answer is based on what was found. The target's own item requires the queries, which "
            "Assistants never reported.",
        ),
        "other_tool_calls": PolicyText(
            "Calls of other hosted tools",
            {
                "note": "an assistant message before the answer holds everything the source says, as JSON",
                "drop_with_finding": _DROP,
                "block": _BLOCK,
            },
            "The target has no item for calls of Foundry's and the first version's tools. As a function call "
            "the model would take them for functions of the application.",
        ),
        "orphan_tool_calls": PolicyText(
            "Function calls that can't be a pair",
            {
                "note": "an assistant message in the call's place holds name and arguments",
                "drop_with_finding": _DROP,
                "block": _BLOCK,
            },
            "A call without its output makes every later response fail, so it can't be carried as a call. As a "
            "note, nothing of it is lost.",
        ),
        "attachments": PolicyText(
            "Files attached to messages",
            {
                "input_file": "a file part after the user's text; under the assistant a text that names the file",
                "note": "a text that names the file and its tools",
                "vector_store_only": "nothing in the message; a finding names the store that has the file",
            },
            "Only a file part gives later responses the file itself. Choose another where the target can't read "
            "the files' types, or where the application brings the thread's vector store.",
        ),
        "incomplete_messages": PolicyText(
            "Messages that were cut short",
            {
                "keep": "what there is of it, with status incomplete under the assistant",
                "mark": "the same, with a last text that says it was cut short and why",
                "skip": "no item; a finding says so",
            },
            "People have read this text, and the status says that it ends early.",
        ),
        "deletions": PolicyText(
            "What the source has deleted",
            {
                "leave_out": "no item for a deleted message; a deleted thread is blocked",
                "carry": "as if it had not been deleted; a finding says that it was",
            },
            "Its owner did not want it kept. Carry it only if the archive must be complete, and you are allowed to.",
        ),
    }
)
