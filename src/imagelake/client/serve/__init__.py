"""URLs of images (`urls`) and of uploads (`tickets`) that a browser may use for a while."""
