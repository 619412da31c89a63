"""Addresses of the review queue, under /admin/review/."""

from __future__ import annotations

from django.urls import path

from migration_app.admin.base.pages import console_view
from migration_app.admin.review.pages import (
    assign_view,
    case_view,
    decide_group_view,
    decide_view,
    first_view,
    queue_view,
    read_view,
    reading_view,
    take_view,
)

urlpatterns = [
    path("", console_view(queue_view), name="review_queue"),
    path("first/", console_view(first_view), name="review_first"),
    path("take/", console_view(take_view), name="review_take"),
    path("decide/<slug:kind>/", console_view(decide_group_view), name="review_decide_group"),
    path("<int:pk>/", console_view(case_view), name="review_case"),
    path("<int:pk>/decide/<slug:kind>/", console_view(decide_view), name="review_decide"),
    path("<int:pk>/assign/", console_view(assign_view), name="review_assign"),
    path("<int:pk>/reading/", console_view(reading_view), name="review_reading"),
    path("<int:pk>/read/", console_view(read_view), name="review_read"),
]
