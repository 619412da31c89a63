"""The queue's fixtures, for its pages."""

from tests.migration_app.review.conftest import in_review, reviewer

__all__ = ["in_review", "reviewer"]
