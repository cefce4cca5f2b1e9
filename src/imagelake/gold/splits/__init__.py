"""Which split an image gets: by group (`groups`), stratified (`stratify`), by recipe (`recipes`)."""
