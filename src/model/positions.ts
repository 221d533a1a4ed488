/**
 * Relative position buckets: which row of a layer's `rel_pos_table` biases the attention of query q to key k.
 * Sources: adapter/text.py:18-29 (text and audio), adapter/image.py:19-34 (pictures).
 */

/** Distances beyond this share the outermost buckets: the official tables are 1024 × 1024. */
export const MAX_DISTANCE = 1023

/** Rows of a table beyond the distances: query CLS, key CLS, and CLS to itself (text and audio: 2B-1, 2B, 2B+1). */
export interface ClsBuckets {
  queryCls: number
  keyCls: number
  clsToCls: number
}

/**
 * Bucket of each distance q - k from -1023 to 1023, (2047): exact up to B/2, then logarithmic.
 * The CLS position is overridden afterwards by `tokenClsBuckets`.
 */
export function tokenBuckets(bucketSize: number): Int32Array {
  const mid = Math.floor(bucketSize / 2)
  return Int32Array.from({ length: 2 * MAX_DISTANCE + 1 }, (_, index) => {
    const distance = index - MAX_DISTANCE
    const reach = Math.abs(distance)
    if (reach <= mid) return distance + bucketSize - 1
    const log = Math.ceil((Math.log(reach / mid) / Math.log(MAX_DISTANCE / mid)) * (mid - 1))
    return Math.sign(distance) * (mid + log) + bucketSize - 1
  })
}

export function tokenClsBuckets(bucketSize: number): ClsBuckets {
  return { queryCls: 2 * bucketSize - 1, keyCls: 2 * bucketSize, clsToCls: 2 * bucketSize + 1 }
}

/** Bucket at (query, key) of a stored 1024 × 1024 token table, position 0 being CLS. */
export function tokenBucketAt(buckets: Int32Array, cls: ClsBuckets, query: number, key: number): number {
  if (query === 0 && key === 0) return cls.clsToCls
  if (key === 0) return cls.keyCls
  if (query === 0) return cls.queryCls
  return buckets[query - key + MAX_DISTANCE]!
}

/** Rows of the relative table of an r × r grid: (2r-1)² offsets and three for CLS. */
export const imageTableRows = (relBucketSize: number): number => (2 * relBucketSize - 1) ** 2 + 3

/** Buckets of an r × r grid with CLS in front, row-major ((r²+1) × (r²+1)), row = query. */
export function imageBuckets(relBucketSize: number): Int32Array {
  const r = relBucketSize
  const tokens = r * r + 1
  const rows = imageTableRows(r)
  const buckets = new Int32Array(tokens * tokens)
  for (let q = 1; q < tokens; q++) {
    const [yq, xq] = [Math.floor((q - 1) / r), (q - 1) % r]
    for (let k = 1; k < tokens; k++) {
      const [yk, xk] = [Math.floor((k - 1) / r), (k - 1) % r]
      buckets[q * tokens + k] = (yq - yk + r - 1) * (2 * r - 1) + (xq - xk + r - 1)
    }
  }
  buckets.fill(rows - 3, 0, tokens) // query CLS
  for (let q = 0; q < tokens; q++) buckets[q * tokens] = rows - 2 // key CLS
  buckets[0] = rows - 1
  return buckets
}
