/**
 * The little of ISO/IEC 14496-12 (MP4, M4A, MOV) that decoding in bounded steps needs: a box is `size u32 | type | body`,
 * and `moov` holds the tables that say where in the file each sound frame lies.
 */

export interface Box {
  type: string
  start: number
  /** Where the body begins. */
  body: number
  /** Never past the end of what it lies in. */
  end: number
  /** False where the box claims to end later, i.e. the file was cut. */
  isComplete: boolean
}

/** Boxes from `start` to `end`, as far as they make sense. */
export function* boxes(bytes: Uint8Array, start: number, end: number): Generator<Box, void, void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = start; at + 8 <= end; ) {
    const short = view.getUint32(at)
    const isLong = short === 1 && at + 16 <= end
    const size = isLong ? Number(view.getBigUint64(at + 8)) : short === 0 ? end - at : short
    const header = isLong ? 16 : 8
    if (size < header) return
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    yield { type, start: at, body: at + header, end: Math.min(at + size, end), isComplete: at + size <= end }
    at += size
  }
}

/** All boxes of a type below `moov`, however deep. */
function* below(bytes: Uint8Array, parent: Box, type: string): Generator<Box, void, void> {
  for (const box of boxes(bytes, parent.body, parent.end)) {
    if (box.type === type) yield box
    else if (['trak', 'edts', 'mdia', 'minf', 'stbl'].includes(box.type)) yield* below(bytes, box, type)
  }
}

/** Seconds of the movie header (§8.2.2): early refusal only, it may lie. */
export function movieSeconds(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const moov of boxes(bytes, 0, bytes.length)) {
    if (moov.type !== 'moov') continue
    for (const box of below(bytes, moov, 'mvhd')) {
      if (box.end < box.body + 32) return undefined
      const isLong = view.getUint8(box.body) === 1
      const timescale = view.getUint32(box.body + (isLong ? 20 : 12))
      const duration = isLong ? Number(view.getBigUint64(box.body + 24)) : view.getUint32(box.body + 16)
      return timescale > 0 && duration !== 0xffffffff ? duration / timescale : undefined
    }
  }
  return undefined
}

/**
 * The file with `moov` before the sound, so that a decoder can take it in small steps, and where `moov` ends. A `moov` at
 * the end moves to the front, and the chunk offsets it holds grow by its size (what "faststart" tools do).
 * @returns undefined where there is no complete `moov`
 */
export function moovFirst(bytes: Uint8Array): { bytes: Uint8Array; moovEnd: number } | undefined {
  const top = [...boxes(bytes, 0, bytes.length)]
  const moov = top.find((box) => box.type === 'moov')
  const firstData = top.find((box) => box.type === 'mdat')
  if (!moov?.isComplete || !firstData) return undefined
  if (moov.start < firstData.start) return { bytes, moovEnd: moov.end }
  const size = moov.end - moov.start
  const moved = new Uint8Array(bytes.length)
  moved.set(bytes.subarray(0, firstData.start))
  moved.set(bytes.subarray(moov.start, moov.end), firstData.start)
  moved.set(bytes.subarray(firstData.start, moov.start), firstData.start + size)
  moved.set(bytes.subarray(moov.end), moov.end)
  const movedMoov = { ...moov, start: firstData.start, body: firstData.start + 8, end: firstData.start + size }
  shiftChunkOffsets(moved, movedMoov, size)
  return { bytes: moved, moovEnd: movedMoov.end }
}

/** `stco` and `co64` (§8.7.5): flags u32 | count u32 | absolute offsets of 4 or 8 bytes. */
function shiftChunkOffsets(bytes: Uint8Array, moov: Box, by: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const box of below(bytes, moov, 'stco')) {
    for (let at = box.body + 8; at + 4 <= box.end; at += 4) view.setUint32(at, view.getUint32(at) + by)
  }
  for (const box of below(bytes, moov, 'co64')) {
    for (let at = box.body + 8; at + 8 <= box.end; at += 8) view.setBigUint64(at, view.getBigUint64(at) + BigInt(by))
  }
}

/** Tables below `moov`: where the count of entries stands in the body, and the bytes of an entry. */
const TABLES = { stsz: [8, 4], stco: [4, 4], co64: [4, 8], stsc: [4, 12], stts: [4, 8], elst: [4, 12] } as const

/** Whether every table of `moov` fits its box, so that a forged count makes no decoder loop or allocate for it. */
export function hasSaneTables(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fits = (box: Box, type: keyof typeof TABLES): boolean => {
    const [countAt, entryBytes] = TABLES[type]
    const table = box.body + countAt + 4
    if (table > box.end) return false
    const count = view.getUint32(table - 4)
    // A `stsz` with one size for all samples has no table; its samples still lie in the file.
    if (type === 'stsz' && view.getUint32(box.body + 4) > 0) return count <= bytes.length
    return table + count * entryBytes <= box.end
  }
  const types = Object.keys(TABLES) as (keyof typeof TABLES)[]
  return [...boxes(bytes, 0, bytes.length)]
    .filter((box) => box.type === 'moov')
    .every((moov) => types.every((type) => [...below(bytes, moov, type)].every((box) => fits(box, type))))
}
