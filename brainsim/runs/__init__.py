"""From an experiment to a run folder: prepare, phases, execute, folder, results."""
