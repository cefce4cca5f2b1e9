"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagelake.core.modes import Mode

Dataset = Annotated[str, typer.Argument(metavar="D", help="Dataset id.")]
Ref = Annotated[str, typer.Argument(metavar="REF", help="D, D@v3, D@v3.2, D@alias, D@latest or D@draft.")]
Upload = Annotated[
    str, typer.Argument(metavar="UPLOAD", help="A zip, a folder, or an annotation file.", show_default=False)
]
ForDataset = Annotated[str, typer.Option("--dataset", "-d", metavar="D", help="The dataset it belongs to.")]
Format = Annotated[
    str | None, typer.Option("--format", metavar="F", help="Read it as this format; found out by content by default.")
]
UploadMode = Annotated[
    Mode,
    typer.Option(
        "--mode",
        help="append: new images, labels of the images it names. update: and new bytes under known keys. "
        "replace: the upload is the whole dataset.",
    ),
]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Kept with the upload or version.")]
Again = Annotated[bool, typer.Option("--again", help="Apply an upload that was superseded once more.")]
Rehash = Annotated[bool, typer.Option("--rehash", help="Read files again that path, size and time say are known.")]
Split = Annotated[str | None, typer.Option("--split", metavar="SHARES", help="train=0.8,val=0.1,test=0.1; sums to 1.")]
GroupBy = Annotated[
    str | None, typer.Option("--group-by", metavar="ATTR", help="Images with one value of it share a split.")
]
Stratify = Annotated[bool | None, typer.Option("--stratify", help="Give each split its share of every class.")]
Pack = Annotated[
    bool | None,
    typer.Option(
        "--pack/--no-pack",
        help="Put the version's images into packages, whatever their number; or leave them. pack.when by default.",
        show_default=False,
    ),
]
Alias = Annotated[str | None, typer.Option("--alias", metavar="A", help="A name for the new version.")]

PartitionBy = Annotated[
    str | None,
    typer.Option("--partition-by", metavar="KEYS", help="Hive folders of parquet: split,category,date,hash:16."),
]
InSplit = Annotated[str | None, typer.Option("--split", metavar="S", help="Images of this split.")]
Where = Annotated[str | None, typer.Option("--where", metavar="SQL", help="A condition over the view images.")]
Images = Annotated[Path | None, typer.Option("--images", metavar="FILE", help="Keys, one a line; - is stdin.")]
Sample = Annotated[float | None, typer.Option("--sample", metavar="F", help="A share, above 0 and up to 1.")]
