"""The service: every profile on its own schedule, for months, and what it tells of itself."""
