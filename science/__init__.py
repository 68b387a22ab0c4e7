"""Published numbers, reproduced: rows.yaml says what is run, results/ holds what came out, docs/science.md shows it."""
