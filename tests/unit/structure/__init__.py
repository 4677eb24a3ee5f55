"""Completeness: lists that grow in two places are held to each other, and the tree to its rules."""
