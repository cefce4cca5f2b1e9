"""Decoding a member's bytes within bounds: never more than one byte beyond the declared size is inflated."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from imagelake.errors import UploadRejected
from imagelake.storage.zip.central_directory import Codec

_RAW_DEFLATE = -15
"""zlib's window bits for a deflate stream without header, as zip members hold it."""

CHUNK = 1 << 20
"""Bytes handed on at once."""

Buffer = bytes | memoryview


def decode_all(data: Buffer, codec: Codec, size: int) -> Buffer:
    """The decoded bytes of a whole member. UploadRejected: `file.corrupt`, or `file.size_mismatch` against `size`."""
    if codec == "stored":
        return _sized(data, len(data), size)
    inflate = zlib.decompressobj(_RAW_DEFLATE)
    try:
        decoded = inflate.decompress(data, size + 1)
    except zlib.error as error:
        raise _corrupt(error) from None
    _check_end(inflate, len(decoded), size)
    return _sized(decoded, len(decoded), size)


def decode(chunks: Iterable[Buffer], codec: Codec, size: int) -> Iterator[Buffer]:
    """The decoded bytes of a member in pieces of at most CHUNK when deflated; errors as `decode_all`."""
    done = 0
    for piece in chunks if codec == "stored" else _inflated(chunks, size):
        done += len(piece)
        if done > size:
            raise size_mismatch(done, size)
        yield piece
    _sized(b"", done, size)


def size_mismatch(length: int, size: int) -> UploadRejected:
    """The error of a member or file that is not as long as declared."""
    more = "more than " if length > size else ""
    shown = size if more else length
    return UploadRejected(f"holds {more}{shown} bytes; {size} were declared", rule="file.size_mismatch")


def crc_mismatch(actual: int, declared: int) -> UploadRejected:
    """The error of bytes that are not those the archive was made with."""
    return UploadRejected(f"CRC-32 is {actual:08x}; {declared:08x} was declared", rule="file.crc_mismatch")


def _sized(data: Buffer, length: int, size: int) -> Buffer:
    if length != size:
        raise size_mismatch(length, size)
    return data


def _inflated(chunks: Iterable[Buffer], size: int) -> Iterator[bytes]:
    inflate = zlib.decompressobj(_RAW_DEFLATE)
    done = 0
    for chunk in chunks:
        rest: Buffer = chunk
        while rest and not inflate.eof and done <= size:
            try:
                piece = inflate.decompress(rest, CHUNK)
            except zlib.error as error:
                raise _corrupt(error) from None
            rest = inflate.unconsumed_tail
            done += len(piece)
            yield piece
    _check_end(inflate, done, size)


def _check_end(inflate: zlib._Decompress, done: int, size: int) -> None:
    if done <= size and not inflate.eof:
        raise UploadRejected("the compressed data ends too early", rule="file.corrupt")
    if inflate.eof and inflate.unused_data:
        raise UploadRejected(
            f"{len(inflate.unused_data)} bytes follow the end of the compressed data", rule="file.corrupt"
        )


def _corrupt(error: zlib.error) -> UploadRejected:
    return UploadRejected(f"cannot be inflated: {error}", rule="file.corrupt")
