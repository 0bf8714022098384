"""Protocols and studies: which trainings a comparison needs, how they are run, and what their tables say."""
