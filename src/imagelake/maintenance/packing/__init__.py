"""Packages: the images of a dataset in a few large files, so that trainers read in sequence.

`plan` decides whether a dataset is worth it and which bytes lie outside packages; `write` makes the packages in Spark's
workers and reads them back; `pack` does both under the dataset's lease and says where the bytes are now; `collect`
removes objects that no place names any more.
"""
