"""An agent of one's own that misbehaves, and the person who answers what it asks."""
