"""What of a dataset is refused: which rows (`chosen`), by rule with examples (`list_rejections`), and as files to mend.

`export` writes a folder an upload: documents (of COCO a part: `coco_documents`), refused pictures, those that
documents do not find without (`matching`), a sheet of what is wrong where (`sheet`), and a receipt that says which
rejections the folder answers when it is delivered.
"""
