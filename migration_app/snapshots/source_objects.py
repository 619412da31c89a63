"""Storing assistants, files and vector stores that came in: versions, conflicts, assistants' rows."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Sequence

from django.db import connection, transaction

from migration_app.archive.expanded import SourceObject as Found
from migration_app.archive.ids import storable_text
from migration_app.archive.sequence import payload_compress, payload_sha256
from migration_app.archive.times import moment_of
from migration_app.archive.versions import Verdict, contradicts, digest_of, merged, pruned
from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor, JsonObject
from migration_app.models import Assistant, SourceImport, SourceObject
from migration_app.snapshots.pages import source_object_value

# Any number of our own: imports that store such objects at once do it one after the other.
_LOCK = 7_266_401


@dataclasses.dataclass(frozen=True, slots=True)
class LooseObject:
    """An object that belongs to no thread; ``raw`` is its bytes."""

    found: Found
    raw: bytes
    redacted: bool


def loose_object(found: Found, raw: bytes | None, *, redacted: bool) -> LooseObject:
    """Make one; without bytes of its own (it was in a list or bundle) it is encoded again."""
    return LooseObject(found, json.dumps(found.value).encode() if raw is None else raw, redacted)


def source_objects_store(
    *,
    objects: Sequence[LooseObject],
    source_import: SourceImport | None,
    actor: Actor,
    counts: collections.Counter[str],
    earlier_until: int = 0,
) -> None:
    """Store those that are new. A later state becomes current; another content is kept and reported.

    ``source_import`` is None for what a live source answered. Objects that an earlier attempt of the same import
    stored, up to the primary key ``earlier_until``, are counted as that attempt counted them.
    """
    if not objects:
        return  # without the lock, for which live snapshots would wait on each other
    mine: collections.Counter[str] = collections.Counter()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        versions = _Versions(source_import, actor, mine, earlier_until)
        versions.load(objects)
        for loose in objects:
            versions.store(loose)
    counts.update(mine)


def newest_source_object_pk() -> int:
    """The newest version of all, for ``earlier_until``."""
    return SourceObject.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


class _Versions:
    """The stored versions of some objects, and additions to them."""

    def __init__(
        self,
        source_import: SourceImport | None,
        actor: Actor,
        counts: collections.Counter[str],
        earlier_until: int,
    ) -> None:
        self._source_import = source_import
        self._actor = actor
        self._counts = counts
        self._earlier_until = earlier_until
        self._earlier: dict[tuple[str, str, bytes], str] = {}
        self._digests: set[tuple[str, str, bytes]] = set()
        self._current: dict[tuple[str, str], tuple[SourceObject, JsonObject]] = {}

    def load(self, objects: Sequence[LooseObject]) -> None:
        """Read what is stored of these objects."""
        ids = {loose.found.id for loose in objects}
        first_seen: set[tuple[str, str]] = set()
        for row in SourceObject.objects.filter(object_id__in=ids).order_by("pk"):
            value = source_object_value(row)
            sight = (row.kind, row.object_id, digest_of(_known_by(row, value)))
            if (
                self._source_import is not None
                and row.source_import_id == self._source_import.pk
                and row.pk <= self._earlier_until
            ):
                is_first = (row.kind, row.object_id) not in first_seen
                later = "conflicts" if row.state == SourceObject.State.CONFLICT else "states"
                self._earlier[sight] = f"{row.kind}s" if is_first else later
            first_seen.add((row.kind, row.object_id))
            self._digests.add(sight)
            if row.state == SourceObject.State.CURRENT:
                self._current[row.kind, row.object_id] = (row, value)

    def store(self, loose: LooseObject) -> None:
        """Store one object, if it adds something."""
        found = loose.found
        key = (found.kind, found.id)
        sight = (*key, digest_of(found.value))
        if sight in self._digests:
            self._counts[self._earlier.pop(sight, "unchanged")] += 1
            return
        self._digests.add(sight)
        if key not in self._current:
            self._counts[f"{found.kind}s"] += 1
            self._take(loose, found.value)
            return
        current, known = self._current[key]
        value, verdict = merged(found.kind, known, found.value)
        if found.kind == "assistant" and contradicts(known, found.value):
            verdict = Verdict.CONFLICT
        if verdict is Verdict.SAME:
            self._counts["unchanged"] += 1
        elif verdict is Verdict.CONFLICT:
            self._counts["conflicts"] += 1
            self._keep(loose, SourceObject.State.CONFLICT)
            self._record(
                f"{found.kind}.conflict", found.id, "Other content under a known id; the first one is used."
            )
        else:
            self._counts["states"] += 1
            if value is known:
                # An earlier state that came in late.
                self._keep(loose, SourceObject.State.SUPERSEDED)
                return
            SourceObject.objects.filter(pk=current.pk).update(state=SourceObject.State.SUPERSEDED)
            if pruned(value) != pruned(found.value):
                # The later version lacks what the earlier one has (it was in a bundle): merge them.
                loose = loose_object(
                    found, json.dumps(value).encode(), redacted=loose.redacted or current.redacted
                )
            self._take(loose, value)

    def _take(self, loose: LooseObject, value: JsonObject) -> None:
        """Make it the version that the console works with."""
        row = self._keep(loose, SourceObject.State.CURRENT)
        self._current[loose.found.kind, loose.found.id] = (row, value)
        if loose.found.kind == "assistant":
            self._assistant(row, value)

    def _keep(self, loose: LooseObject, state: str) -> SourceObject:
        row, _created = SourceObject.objects.update_or_create(
            kind=loose.found.kind,
            object_id=loose.found.id,
            sha256=payload_sha256(loose.raw),
            defaults={
                "state": state,
                "payload": payload_compress(loose.raw),
                "redacted": loose.redacted,
                "source_import": self._source_import,
            },
        )
        return row

    def _assistant(self, row: SourceObject, value: JsonObject) -> None:
        """Give the assistant's own row what its object says."""
        assistant, _created = Assistant.objects.get_or_create(assistant_id=row.object_id)
        before = assistant.status
        assistant.source = row
        assistant.name = storable_text(value.get("name"), 512)
        assistant.model = storable_text(value.get("model"), 255)
        assistant.source_created_at = moment_of(value.get("created_at"))
        if before == Assistant.Status.REGISTERED:
            assistant.status = Assistant.Status.SNAPSHOTTED
        assistant.save()
        reason = f"Import {self._source_import.pk}." if self._source_import else "Read from the live source."
        self._record("assistant.snapshotted", row.object_id, reason, before=before, after=assistant.status)

    def _record(self, verb: str, object_id: str, reason: str, *, before: str = "", after: str = "") -> None:
        audit_event(
            actor=self._actor,
            verb=verb,
            subject_kind=verb.partition(".")[0],
            subject_id=object_id,
            before=before,
            after=after,
            reason=reason,
        ).save(force_insert=True)


def _known_by(row: SourceObject, value: JsonObject) -> JsonObject:
    """The value as it was compared when it came in (a bundle's place may have said what it is)."""
    return value if "object" in value else {**value, "object": row.kind}
