"""`imagelake doctor`: whether this machine (`machine`) and this bucket (`bucket`) are ready, check by check."""
