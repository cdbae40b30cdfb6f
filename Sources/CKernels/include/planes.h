#pragma once
#include <stddef.h>
#include <stdint.h>

/// Byte planes: the elements' first bytes, then all second bytes, … Bytes of equal significance lie together, and
/// those of the exponent compress. `width` is the number of bytes of an element: 1, 4 or 8 (any other: a plain loop).
/// `elements` is the number of elements; `source` and `target` hold elements × width bytes and must not overlap.
void amend_planes_split(const uint8_t *source, size_t elements, size_t width, uint8_t *target);

/// The inverse of amend_planes_split.
void amend_planes_join(const uint8_t *source, size_t elements, size_t width, uint8_t *target);

/// target[i] ^= source[i] for `count` bytes. The buffers must not overlap.
void amend_bytes_xor(const uint8_t *source, size_t count, uint8_t *target);
