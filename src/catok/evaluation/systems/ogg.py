"""Ogg files (RFC 3533): how many bytes their packets take, without the container's own."""

_HEADER = 27  # bytes of a page before its segment table
_FULL = 255  # a segment of this size continues its packet in the next one


def packet_sizes(data: bytes) -> list[int]:
    """Bytes of every packet, in order, of an Ogg file with one stream, its header packets too.

    Raises ValueError when it is cut short or not Ogg.
    """
    sizes: list[int] = []
    position = size = 0
    while position < len(data):
        if data[position : position + 4] != b"OggS" or len(data) < position + _HEADER:
            raise ValueError(f"no Ogg page at byte {position}: the file is damaged, make it again")
        table = position + _HEADER
        segments = data[table : table + data[position + 26]]
        position = table + len(segments) + sum(segments)
        if position > len(data):
            raise ValueError("the Ogg file is cut short: make it again")
        for segment in segments:
            size += segment
            if segment < _FULL:
                sizes.append(size)
                size = 0
    return sizes
