"""`kill -9` in the middle of writing, and a full disk: nothing acknowledged is lost, nothing is torn."""
