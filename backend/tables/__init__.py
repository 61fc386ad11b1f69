"""The SQL tables, a file a noun. Imported by services and by the migrations; holds no rules."""

from backend.tables.accounts import Invitation, Token, User, UserSession
from backend.tables.base import Base
from backend.tables.checkpoints import Checkpoint
from backend.tables.comparisons import Comparison, Flag, Gold
from backend.tables.corpus import Completion, Demonstration, Document, Model, Prompt
from backend.tables.judgments import Disagreement, Judgment, Voiding
from backend.tables.projects import GuidelinesVersion, Project, Standing
from backend.tables.ratings import (
    AnnotatorFit,
    AnnotatorSlope,
    CompletionRating,
    CompletionScore,
    ModelRating,
    RatingChange,
    RatingSnapshot,
)
from backend.tables.rewards import Reward, RewardOutcome, RewardSet
from backend.tables.runs import Run, RunLog, RunMetrics, RunSample

__all__ = [
    "AnnotatorFit",
    "AnnotatorSlope",
    "Base",
    "Checkpoint",
    "Comparison",
    "Completion",
    "CompletionRating",
    "CompletionScore",
    "Demonstration",
    "Disagreement",
    "Document",
    "Flag",
    "Gold",
    "GuidelinesVersion",
    "Invitation",
    "Judgment",
    "Model",
    "ModelRating",
    "Project",
    "Prompt",
    "RatingChange",
    "RatingSnapshot",
    "Reward",
    "RewardOutcome",
    "RewardSet",
    "Run",
    "RunLog",
    "RunMetrics",
    "RunSample",
    "Standing",
    "Token",
    "User",
    "UserSession",
    "Voiding",
]
