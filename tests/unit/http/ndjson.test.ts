import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inOrder, linesOf } from '../../../src/http/ndjson.ts'

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const each of source) found.push(each)
  return found
}

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const texts = (lines: (Uint8Array | undefined)[]) => lines.map((line) => line && Buffer.from(line).toString())

describe('lines of a body', () => {
  it('are the same however the body is cut into chunks', async () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ''))
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.integer({ min: 1, max: 9 }), async (lines, size) => {
        const found = texts(await all(linesOf(chunked(Buffer.from(lines.join('\n')), size), 1000)))
        expect(found).toEqual(lines.filter((each) => /[^ \t\r]/.test(each)))
      }),
    )
  })

  it('that are too long are told as such, and those after them are whole', async () => {
    const body = Buffer.from('short\nmuch too long a line\nshort\nagain too long')
    for (const size of [1, 3, 100]) {
      expect(texts(await all(linesOf(chunked(body, size), 5)))).toEqual(['short', undefined, 'short', undefined])
    }
  })
})

describe('tasks in order', () => {
  it('overlap, never more than allowed, and give results in the order of their elements', async () => {
    let running = 0
    let most = 0
    const source = (async function* () {
      for (let i = 0; i < 20; i++) yield i
    })()
    const start = async (i: number) => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, (i * 7) % 5))
      running--
      return i
    }
    expect(await all(inOrder(source, 4, start))).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect(most).toBe(4)
  })

  it('give a result before the next element has come', async () => {
    let more: () => void = () => {}
    const source = (async function* () {
      yield 1
      await new Promise<void>((resolve) => {
        more = resolve
      })
      yield 2
    })()
    const results = inOrder(source, 4, async (i) => i)
    expect((await results.next()).value).toBe(1)
    more()
    expect((await results.next()).value).toBe(2)
    expect((await results.next()).done).toBe(true)
  })

  it('take nothing more once the reader has stopped', async () => {
    let taken = 0
    let ended = false
    const source = (async function* () {
      try {
        for (;;) yield taken++
      } finally {
        ended = true
      }
    })()
    for await (const result of inOrder(source, 2, async (i) => i)) if (result === 3) break
    expect(ended).toBe(true)
    expect(taken).toBeLessThan(10)
  })
})
