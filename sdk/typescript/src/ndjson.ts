/** Newline-delimited JSON: chunks of bytes in, values out, as they arrive. */

export async function* parseLines<T>(body: ReadableStream<Uint8Array>): AsyncGenerator<T> {
  const decoder = new TextDecoder()
  let held = ''
  for await (const chunk of chunksOf(body)) {
    const lines = (held + decoder.decode(chunk, { stream: true })).split('\n')
    held = lines.pop()!
    for (const line of lines) if (line !== '') yield JSON.parse(line)
  }
  if (held !== '') yield JSON.parse(held)
}

/** Not `for await` over the stream itself: not every browser has that. Whoever stops early frees the connection. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value
  } finally {
    await reader.cancel()
  }
}

/** Lines gathered into bodies of bounded length; a line that is longer by itself goes alone. */
export async function* gather<T>(
  source: AsyncIterable<T> | Iterable<T>,
  lineOf: (element: T) => Promise<string>,
  limits: { lines: number; chars: number },
): AsyncGenerator<string[]> {
  let lines: string[] = []
  let chars = 0
  for await (const element of source) {
    const line = await lineOf(element)
    if (lines.length > 0 && (lines.length === limits.lines || chars + line.length > limits.chars)) {
      yield lines
      lines = []
      chars = 0
    }
    lines.push(line)
    chars += line.length
  }
  if (lines.length > 0) yield lines
}
