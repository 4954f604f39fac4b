"""Tests; helpers that several of them share stand beside them."""
