"""Vectors as they are written, a module for each chapter."""
