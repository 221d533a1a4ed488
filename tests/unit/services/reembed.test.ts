/** Which items get vectors, in what rounds, and what stops the work. */
import { expect, it } from 'vitest'
import { DomainError } from '../../../src/errors.ts'
import type { LocalPart } from '../../../src/services/content.ts'
import { fillAll, reembed } from '../../../src/services/reembed.ts'
import type { FilledItem, ItemToFill, Reembedding } from '../../../src/vectors/maintenance.ts'

/** Items by id, with their revision; filled ones leave. */
class FakeReembedding implements Reembedding {
  name = 'c'
  items: Map<string, string>
  filled: string[] = []
  completed = 0
  /** Run before `complete` looks. */
  meanwhile: (() => void)[] = []

  constructor(ids: readonly string[]) {
    this.items = new Map(ids.map((id) => [id, '1']))
  }

  async count() {
    return { items: this.items.size, missing: this.items.size }
  }

  async *missing(): AsyncIterable<ItemToFill> {
    for (const [id, revision] of [...this.items]) {
      const modality = id.startsWith('picture') ? 'image' : 'text'
      yield { item: { id, modality, sha256: id, payload: {}, segments: [] }, revision }
    }
  }

  async fill(filled: readonly FilledItem[]) {
    for (const { item, revision } of filled) {
      if (this.items.get(item.id) !== revision) continue
      this.items.delete(item.id)
      this.filled.push(item.id)
    }
    return []
  }

  async complete() {
    this.completed++
    this.meanwhile.shift()?.()
    return this.items.size === 0
  }

  async dropOthers() {
    return []
  }

  async close() {}
}

const blobs = {
  bytes: async (sha256: string) => (sha256 === 'lost' ? undefined : Buffer.from(`bytes of ${sha256}`)),
}
const seen: LocalPart[] = []
const content = {
  encodePart: async (part: unknown) => {
    seen.push(part as LocalPart)
    const { kind } = part as LocalPart
    const bad = new DomainError('undecodable-media', 'It is no picture.')
    if (kind === 'media' && (part as { bytes: Buffer }).bytes.includes('bad')) throw bad
    return { points: [{ vector: Float32Array.of(1) }] } as never
  },
}
const deps = { content, blobs } as never

it('makes vectors from the original words and bytes, and tells how many it did', async () => {
  const all = new FakeReembedding(['words', 'picture'])
  const done: number[] = []
  expect(await reembed(all, deps, { onDone: (items) => done.push(items) })).toEqual([])
  expect(all.filled).toEqual(['words', 'picture'])
  expect(done).toEqual([2])
  expect(seen).toEqual([
    { kind: 'text', text: 'bytes of words', weight: 1 },
    { kind: 'media', bytes: Buffer.from('bytes of picture'), expected: 'image', weight: 1 },
  ])
})

it('goes another round for items written before it could change over', async () => {
  const all = new FakeReembedding(['a'])
  all.meanwhile.push(() => all.items.set('late', '1'))
  expect(await reembed(all, deps)).toEqual([])
  expect([all.filled, all.completed]).toEqual([['a', 'late'], 2])
})

it('changes nothing over if an item cannot have a vector, but does all others, and names it with the reason', async () => {
  const all = new FakeReembedding(['a', 'lost', 'picture-bad', 'b'])
  expect(await reembed(all, deps)).toEqual([
    { id: 'lost', why: 'Its original is no longer there.' },
    { id: 'picture-bad', why: 'It is no picture.' },
  ])
  expect([all.filled, all.completed]).toEqual([['a', 'b'], 0])
})

it('tries an item again that was written anew, and forgets one that was deleted', async () => {
  const all = new FakeReembedding(['picture-bad', 'lost'])
  let tries = 0
  const mended = {
    encodePart: async () => {
      if (tries++ > 0) return { points: [{ vector: Float32Array.of(1) }] } as never
      all.items.set('picture-bad', '2')
      all.items.delete('lost')
      throw new DomainError('undecodable-media', 'It is no picture.')
    },
  }
  expect(await fillAll(all, { content: mended, blobs } as never)).toEqual([])
  expect(all.filled).toEqual(['picture-bad'])
})

it('stops at what is not an item’s fault, and when told to', async () => {
  const broken = { encodePart: async () => Promise.reject(new DomainError('encoder-unavailable', 'Broken.')) }
  await expect(fillAll(new FakeReembedding(['a']), { content: broken, blobs } as never)).rejects.toThrow('Broken.')
  const stopped = AbortSignal.abort(new Error('told to'))
  const all = new FakeReembedding(['a'])
  await expect(fillAll(all, deps, { signal: stopped })).rejects.toThrow('told to')
  expect(all.filled).toEqual([])
})
