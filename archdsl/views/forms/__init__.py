"""Tables and data as text, CSV, Markdown, HTML and JSON: how they are drawn, whatever they say."""
