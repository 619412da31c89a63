"""The equivalent of a run: the call of ``responses.create`` with its conversation and its exported prompt.

Reads the run out of its thread's snapshot. Sends nothing.
"""

from __future__ import annotations

import dataclasses
import pprint
from collections.abc import Mapping
from typing import Any

from migration_app.contracts import JsonObject
from migration_app.conversion.prompts.specs import spec_variables
from migration_app.conversion.responses import RunRecord, run_record
from migration_app.conversion.text import as_object, source_id_of
from migration_app.models import Conversation, Prompt, PromptVersion, Run
from migration_app.prompts.module import module_stems
from migration_app.snapshots.pages import load_source_thread, source_objects

_WIDTH = 96
# Fields of a run that need the permission to see content.
_CONTENT = frozenset({"instructions", "metadata"})


@dataclasses.dataclass(frozen=True, slots=True)
class RunRequest:
    """A run from its snapshot, and the equivalent call.

    ``own``: arguments in which the run differs from its prompt. ``module``: the exported file without .py.
    """

    run: JsonObject
    record: RunRecord
    version: PromptVersion | None
    module: str
    own: Mapping[str, Any]
    conversation_id: str

    def code(self, *, content: bool) -> str:
        """The call as Python; without ``content`` the run's own text is only mentioned."""
        lines = []
        arguments = []
        own = dict(self.own)
        hidden = [] if content else sorted(own.keys() & _CONTENT)
        for name in hidden:
            del own[name]
        if self.version is not None:
            lines += [f"from prompts.{self.module} import create_kwargs", ""]
            given = ", ".join(f"{name}=…" for name in sorted(spec_variables(self.version.spec)))
            call = f"create_kwargs({given})"
            # The right side wins, where ** twice would be refused.
            arguments.append(f"**({call} | {_python(own)})," if own else f"**{call},")
        else:
            arguments += [f"{name}={_python(value)}," for name, value in sorted(own.items())]
        where = repr(self.conversation_id) if self.conversation_id else "…"
        arguments += [f"conversation={where},", 'input=[{"role": "user", "content": "…"}],']
        lines += ["response = client.responses.create(", *_indented(arguments), ")"]
        if hidden:
            lines.append(
                f"# Its own {' and '.join(hidden)}: not shown without the permission to see content."
            )
        return "\n".join(lines)


def run_request(row: Run) -> RunRequest | None:
    """Look a run up in its thread's snapshot; None if it is not there any more."""
    source = load_source_thread(row.thread)
    found = next(
        (
            run
            for position, run in enumerate(map(as_object, source.runs))
            if source_id_of(run, "run", position) == row.run_id
        ),
        None,
    )
    if found is None:
        return None
    ids = [row.assistant_id] if row.assistant_id else []
    assistant = source_objects("assistant", ids).get(row.assistant_id)
    record = run_record(found, assistant, source.thread)
    prompt = Prompt.objects.filter(assistant__assistant_id=row.assistant_id).first() if ids else None
    version = (prompt.active_version or prompt.current_version) if prompt else None
    spec = version.spec if version else {}
    conversation = Conversation.objects.filter(thread=row.thread).first()
    usable = conversation is not None and conversation.state != Conversation.State.DELETING
    return RunRequest(
        run=found,
        record=record,
        version=version,
        module=_module(prompt) if prompt else "",
        own={name: value for name, value in record.equivalent.items() if spec.get(name) != value},
        conversation_id=conversation.conversation_id if conversation and usable else "",
    )


def _module(prompt: Prompt) -> str:
    return module_stems(Prompt.objects.values_list("slug", flat=True))[prompt.slug]


def _python(value: object) -> str:
    return pprint.pformat(value, width=_WIDTH, sort_dicts=True)


def _indented(arguments: list[str]) -> list[str]:
    return [f"    {line}" for argument in arguments for line in argument.split("\n")]
