"""The bytes of images: written under their content hash (`blob_writer`), found again (`location`), packed."""
