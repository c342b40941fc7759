"""A proof measured along runs: the slack of every link, and how it grows."""
