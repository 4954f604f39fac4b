"""Pages and indexes that scripts make, and tools for those who change archdsl."""
