"""What a resolved incident leaves behind: a memory that ranks the next one, and a postmortem. Pure."""
