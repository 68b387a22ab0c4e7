"""The command line: verbs, no logic. What a verb does is one call to the engine."""
