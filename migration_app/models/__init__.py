"""The tables: one module a subject. The database is the truth; RQ only carries ids."""

from migration_app.models.assistant import Assistant
from migration_app.models.audit import AuditEvent
from migration_app.models.batch import Batch
from migration_app.models.batch_result import BatchMinute, BatchResult
from migration_app.models.conversation import (
    Chunk,
    Conversation,
    FormerConversation,
    OrphanConversation,
)
from migration_app.models.intake import ImportPart, ImportReject, SourceImport
from migration_app.models.operation import ApiHealth, ApiMinute, MinuteSample
from migration_app.models.prompt import Prompt, PromptVersion
from migration_app.models.reconciliation import Discrepancy, Reconciliation
from migration_app.models.resource import Resource
from migration_app.models.review import ReviewCase, ReviewReading
from migration_app.models.run import Run
from migration_app.models.saved_filter import SavedFilter
from migration_app.models.selection import KeptSelection
from migration_app.models.server_message import ServerMessage
from migration_app.models.snapshot import SnapshotPage, SourceDeletion, SourceObject
from migration_app.models.tally import (
    BatchTally,
    BatchTallyChange,
    RunTally,
    RunTallyChange,
    Tally,
    TallyChange,
)
from migration_app.models.target_behaviour import TargetBehaviour
from migration_app.models.target_model import FunctionCalls, PromptNeeds, ReadinessCheck, TargetModel
from migration_app.models.thread import Thread
from migration_app.models.trial import Trial, TrialResult, TrialScratch, TrialTurn

__all__ = [
    "ApiHealth",
    "ApiMinute",
    "Assistant",
    "AuditEvent",
    "Batch",
    "BatchMinute",
    "BatchResult",
    "BatchTally",
    "BatchTallyChange",
    "Chunk",
    "Conversation",
    "Discrepancy",
    "FormerConversation",
    "FunctionCalls",
    "ImportPart",
    "ImportReject",
    "KeptSelection",
    "MinuteSample",
    "OrphanConversation",
    "Prompt",
    "PromptNeeds",
    "PromptVersion",
    "ReadinessCheck",
    "Reconciliation",
    "Resource",
    "ReviewCase",
    "ReviewReading",
    "Run",
    "RunTally",
    "RunTallyChange",
    "SavedFilter",
    "ServerMessage",
    "SnapshotPage",
    "SourceDeletion",
    "SourceImport",
    "SourceObject",
    "Tally",
    "TallyChange",
    "TargetBehaviour",
    "TargetModel",
    "Thread",
    "Trial",
    "TrialResult",
    "TrialScratch",
    "TrialTurn",
]
