/** What comes one by one, `size` at a time; the last chunk may be shorter, and none is empty. */
export async function* chunksOf<T>(source: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let chunk: T[] = []
  for await (const each of source) {
    if (chunk.push(each) < size) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}
