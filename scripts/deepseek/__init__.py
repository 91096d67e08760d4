"""Parts of the January 2025 DeepSeek study: design, tables, figures, summary and verdict."""
