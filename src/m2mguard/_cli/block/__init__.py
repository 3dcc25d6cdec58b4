"""`m2mguard block`: shows and changes a block list, and which processes know it."""
