/**
 * Newline-delimited JSON over HTTP: bytes in, lines out, whatever the length of the body; and tasks that overlap while their
 * results keep the order of the lines.
 */

export const NDJSON = 'application/x-ndjson'

/** A line without its end, or `undefined` for one that was longer than allowed (its bytes are not kept). */
export type Line = Uint8Array | undefined

const NEWLINE = 0x0a

/** Lines that are not blank. Holds at most one line and one chunk. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxLineBytes: number,
): AsyncGenerator<Line> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  const take = (part: Uint8Array) => {
    heldBytes += part.length
    if (heldBytes <= maxLineBytes) held.push(part)
    else held = []
  }
  const line = (): { line: Line } | undefined => {
    const whole = heldBytes <= maxLineBytes ? Buffer.concat(held) : undefined
    held = []
    heldBytes = 0
    return whole && isBlank(whole) ? undefined : { line: whole }
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, end))
      start = end + 1
      const found = line()
      if (found) yield found.line
    }
    take(chunk.subarray(start))
  }
  const last = line()
  if (last) yield last.line
}

/** JSON's own white space (RFC 8259 §2). */
const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)

/**
 * Starts a task for each element, at most `width` at a time, and yields results in order, each as soon as it and those before
 * it are there. The next element is taken only when there is room, so a slow reader slows the source.
 * @param start must not reject
 */
export async function* inOrder<T, R>(
  source: AsyncIterable<T>,
  width: number,
  start: (element: T) => Promise<R>,
): AsyncGenerator<R> {
  const elements = source[Symbol.asyncIterator]()
  const running: Promise<R>[] = []
  let next: Promise<IteratorResult<T>> | undefined = elements.next()
  try {
    while (next !== undefined || running.length > 0) {
      const oldest = running[0]?.then(() => 'oldest' as const)
      const arrived = running.length < width ? next?.then((result) => result) : undefined
      const first = await Promise.race([...(oldest ? [oldest] : []), ...(arrived ? [arrived] : [])])
      if (first === 'oldest') yield await running.shift()!
      else if (first.done) next = undefined
      else {
        running.push(start(first.value))
        next = elements.next()
      }
    }
  } finally {
    next?.catch(() => undefined) // whoever stopped reading does not want to hear of it
    await elements.return?.()
  }
}
