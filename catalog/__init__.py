"""Knows images: what a row is, how headers become rows, series, tables and their snapshots."""
