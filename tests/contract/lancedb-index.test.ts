/** Large tables of the embedded store have indices, and still answer exactly. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, Index } from '@lancedb/lancedb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openScratch } from '../../src/commands/scratch.ts'
import { LanceVectorStore } from '../../src/vectors/lancedb.ts'
import { rowsOf, schemaOf } from '../../src/vectors/rows.ts'
import type { NewItem } from '../../src/vectors/store.ts'

const DIM = 8
const ITEMS = 12_000
const COLLECTION = { name: 'large', embedDim: DIM, model: 'm', metadata: {}, createdAt: '' }

let state = 7
function random(): number {
  state = (state * 1664525 + 1013904223) >>> 0
  return state / 2 ** 32 - 0.5
}
function unit(): Float32Array {
  const values = Float32Array.from({ length: DIM }, random)
  const norm = Math.hypot(...values)
  return values.map((value) => value / norm)
}
function itemOf(n: number): NewItem {
  const payload = { metadata: { n, tenth: n % 10 } }
  return {
    id: `item-${n}`,
    modality: n % 2 ? 'text' : 'image',
    sha256: '0'.repeat(64),
    payload,
    points: [{ vector: unit() }],
  }
}

let dir: string
let store: LanceVectorStore
const items = new Map<string, NewItem>()
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-index-'))
  const connection = await connect(dir)
  const table = await connection.createEmptyTable('large', schemaOf(COLLECTION))
  const all = Array.from({ length: ITEMS }, (_, n) => itemOf(n))
  for (const item of all) items.set(item.id, item)
  await table.add(all.flatMap(rowsOf))
  table.close()
  connection.close()
  store = new LanceVectorStore(dir)
  await put(itemOf(ITEMS)) // waits for the indices, which are made in the writers' line
})
afterAll(async () => {
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

async function put(item: NewItem): Promise<void> {
  await store.putItem('large', item)
  items.set(item.id, item)
}

type Accepts = (item: NewItem) => boolean
const numbersOf = (item: NewItem) => item.payload.metadata as { n: number; tenth: number }

function expected(query: Float32Array, accepts: Accepts): [string, number][] {
  const cosine = ({ points }: NewItem) => points[0]!.vector.reduce((sum, value, d) => sum + value * query[d]!, 0)
  const scored = [...items.values()].filter(accepts).map((item): [string, number] => [item.id, cosine(item)])
  return scored.sort((a, b) => b[1] - a[1]).slice(0, 10)
}

async function expectExact(filter: object | undefined, accepts: Accepts): Promise<void> {
  const query = unit()
  const scaled = query.map((value) => value * 3)
  const hits = await store.search('large', { vector: scaled, limit: 10, offset: 0, ...(filter && { filter }) })
  const wanted = expected(query, accepts)
  expect(hits.map(({ id }) => id)).toEqual(wanted.map(([id]) => id))
  for (const [i, hit] of hits.entries()) expect(hit.score).toBeCloseTo(wanted[i]![1], 5)
}

async function expectAllExact(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    await expectExact(undefined, () => true)
    await expectExact({ must: [{ key: 'tenth', match: { value: 3 } }] }, (item) => numbersOf(item).tenth === 3)
    const range = { must: [{ key: 'n', range: { gte: 100, lt: 900 } }] }
    await expectExact(range, (item) => numbersOf(item).n >= 100 && numbersOf(item).n < 900)
    const without = { must_not: [{ key: 'n', range: { gt: 50.5 } }] }
    await expectExact(without, (item) => !(numbersOf(item).n > 50.5))
  }
}

it('has its vectors and ids in indices', async () => {
  const connection = await connect(dir)
  const table = await connection.openTable('large')
  const columns = (await table.listIndices()).flatMap((index) => index.columns)
  expect(new Set(columns)).toEqual(new Set(['item_id', 'vector']))
  table.close()
  connection.close()
})

it('finds exactly what a scan finds, with and without filters', expectAllExact)

it('finds what was written, replaced and deleted since', async () => {
  for (let n = 0; n < 20; n++) await put({ ...itemOf(n * 7), points: [{ vector: unit() }] })
  for (let n = 1; n < 20; n++) await put(itemOf(ITEMS + n))
  for (let n = 0; n < 10; n++) {
    await store.deleteItem('large', `item-${n * 11 + 1}`)
    items.delete(`item-${n * 11 + 1}`)
  }
  await expectAllExact()
})

it('still does after the table was compacted', async () => {
  for (let n = 20; n < 90; n++) await put(itemOf(ITEMS + n)) // past the writes after which it is
  await put(itemOf(ITEMS + 90))
  await expectAllExact()
})

it('does not let its index fall into ever more parts, however often something is added', async () => {
  for (let n = 0; n < 250; n++) await put(itemOf(ITEMS + 100 + n))
  await store.close() // waits for compactions
  const connection = await connect(dir)
  const table = await connection.openTable('large')
  const { numIndices, numIndexedRows } = (await table.indexStats('vector_idx'))!
  table.close()
  connection.close()
  expect(numIndexedRows).toBeGreaterThan(ITEMS)
  expect(numIndices).toBeLessThanOrEqual(9)
  store = new LanceVectorStore(dir)
  expect(await store.describeCollection('large')).toEqual(COLLECTION)
})

it('compacts after few writes once searches have paid for opening what they wrote', async () => {
  for (let n = 0; n < 8; n++) await put(itemOf(ITEMS + 400 + n))
  for (let n = 0; n < 30; n++) await expectExact(undefined, () => true)
  await store.close()
  const connection = await connect(dir)
  const table = await connection.openTable('large')
  const { numUnindexedRows } = (await table.indexStats('vector_idx'))!
  table.close()
  connection.close()
  expect(numUnindexedRows).toBe(0)
  store = new LanceVectorStore(dir)
})

it('searches an index of several partitions, as earlier versions made it, whole', async () => {
  const connection = await connect(dir)
  const table = await connection.openTable('large')
  await table.createIndex('vector', { config: Index.ivfFlat({ distanceType: 'dot', numPartitions: 16 }) })
  table.close()
  connection.close()
  await store.close()
  store = new LanceVectorStore(dir)
  await expectAllExact()
})

it('sorts what an index is made of where it is told to', async () => {
  const other = await mkdtemp(join(tmpdir(), 'onepeace-index-'))
  const scratch = await openScratch(join(other, 'scratch'))
  const connection = await connect(other)
  const table = await connection.createEmptyTable('large', schemaOf(COLLECTION))
  await table.add([...items.values()].flatMap(rowsOf))
  table.close()
  connection.close()
  const made = new LanceVectorStore(other)
  await made.createItem('large', itemOf(1_000_000)) // behind the index
  expect(await readdir(join(other, 'scratch'))).not.toEqual([])
  await made.close()
  await scratch.close()
  await rm(other, { recursive: true, force: true })
})
