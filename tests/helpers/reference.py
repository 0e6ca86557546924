"""The definitions of pooling, unpooling and upsampling, as plain NumPy loops to compare with."""

from __future__ import annotations

import numpy as np


def geometry(size, pool, strides, padding):
    """(number of regions, padding in front) along one axis."""
    if padding == "valid":
        return (size - pool) // strides + 1, 0
    regions = -(-size // strides)
    return regions, max((regions - 1) * strides + pool - size, 0) // 2


def regions(size, pool, strides, padding):
    """(i, j, elements) in raster order; elements are (offset, row, column), None where padding."""
    rows, top = geometry(size[0], pool[0], strides[0], padding)
    columns, left = geometry(size[1], pool[1], strides[1], padding)
    for i in range(rows):
        for j in range(columns):
            elements = []
            for a in range(pool[0]):
                for b in range(pool[1]):
                    row, column = i * strides[0] + a - top, j * strides[1] + b - left
                    inside = 0 <= row < size[0] and 0 <= column < size[1]
                    elements.append((a * pool[1] + b, row, column) if inside else None)
            yield i, j, elements


def grid(size, pool, strides, padding):
    return tuple(geometry(n, k, s, padding)[0] for n, k, s in zip(size, pool, strides, strict=True))


def switch_pool(x, pool, strides, padding="valid"):
    shape = (x.shape[0], *grid(x.shape[1:3], pool, strides, padding), x.shape[3])
    pooled, switches = np.empty(shape, x.dtype), np.empty(shape, "int32")
    for i, j, elements in regions(x.shape[1:3], pool, strides, padding):
        for n in range(x.shape[0]):
            for c in range(x.shape[3]):
                best, where = None, None
                for element in elements:
                    if element is None:
                        continue
                    offset, row, column = element
                    if best is None or x[n, row, column, c] > best:
                        best, where = x[n, row, column, c], offset
                pooled[n, i, j, c], switches[n, i, j, c] = best, where
    return pooled, switches


def switch_unpool(values, switches, pool, strides, padding, size, overlap="last"):
    shape = (values.shape[0], *size, values.shape[3])
    out, landed = np.zeros(shape, values.dtype), np.zeros(shape, int)
    for i, j, elements in regions(size, pool, strides, padding):
        for n in range(shape[0]):
            for c in range(shape[3]):
                element = elements[switches[n, i, j, c]]
                if element is None:
                    continue
                at = (n, *element[1:], c)
                landed[at] += 1
                if overlap == "last":
                    out[at] = values[n, i, j, c]
                else:
                    out[at] += values[n, i, j, c]
    return out / np.maximum(landed, 1) if overlap == "mean" else out


def blind_upsample(values, pool, strides, padding, size):
    shape = (values.shape[0], *size, values.shape[3])
    total, members = np.zeros(shape, values.dtype), np.zeros((1, *size, 1), int)
    for i, j, elements in regions(size, pool, strides, padding):
        for element in elements:
            if element is not None:
                total[:, element[1], element[2]] += values[:, i, j]
                members[:, element[1], element[2]] += 1
    return total / np.maximum(members, 1)


def correlate(x, kernel, padding="valid"):
    """The convolution of networks: (N, H, W, I) with (h, w, I, O), stride 1."""
    height, width = kernel.shape[:2]
    if padding == "same":
        edges = [((k - 1) // 2, k - 1 - (k - 1) // 2) for k in (height, width)]
        x = np.pad(x, [(0, 0), *edges, (0, 0)])
    out = np.zeros(
        (x.shape[0], x.shape[1] - height + 1, x.shape[2] - width + 1, kernel.shape[3]), x.dtype
    )
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = np.tensordot(x[:, i : i + height, j : j + width], kernel, 3)
    return out
