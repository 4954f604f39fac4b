"""Ops written outside archdsl."""
