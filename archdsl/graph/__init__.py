"""The checked network: nodes, scopes, its texts and its rules."""
