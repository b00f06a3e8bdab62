"""Asks questions: definitions, attrition, policy, export, and the root command line."""
