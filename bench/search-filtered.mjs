/**
 * Search in the embedded store over 50,000 items: plain, and with a filter that one item in ten passes; interleaved.
 *   npm run build && node bench/search-filtered.mjs [items]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@lancedb/lancedb'
import { LanceVectorStore } from '../dist/vectors/lancedb.js'
import { rowsOf, schemaOf } from '../dist/vectors/rows.js'
import { args, interleaved, Report, sized } from './harness.mjs'

const ITEMS = Number(args[0] ?? sized(50_000, 500))
const DIM = 192
const QUERIES = sized(100, 2)
const FILTERS = {
  'no filter': undefined,
  'match, 1 in 10': { must: [{ key: 'tenth', match: { value: 3 } }] },
  'range, 1 in 10': { must: [{ key: 'n', range: { gte: 0, lt: ITEMS / 10 } }] },
}

let state = 1
const random = () => {
  state = (state * 1664525 + 1013904223) >>> 0
  return state / 2 ** 32 - 0.5
}
function unit() {
  const values = Float32Array.from({ length: DIM }, random)
  const norm = Math.hypot(...values)
  return values.map((value) => value / norm)
}
const item = (n) => ({
  id: `item-${n}`,
  modality: 'image',
  sha256: 'a'.repeat(64),
  payload: { metadata: { n, tenth: n % 10, title: `picture number ${n}`, tags: ['a', 'b'] } },
  points: [{ vector: unit() }],
})

const dir = await mkdtemp(join(tmpdir(), 'onepeace-bench-'))
const collection = { name: 'bench', embedDim: DIM, model: 'bench', metadata: {}, createdAt: '' }
const connection = await connect(dir)
const table = await connection.createEmptyTable('bench', schemaOf(collection))
for (let n = 0; n < ITEMS; n += 5000) {
  await table.add(Array.from({ length: Math.min(5000, ITEMS - n) }, (_, i) => rowsOf(item(n + i))).flat())
}
await table.optimize()
table.close()
const store = new LanceVectorStore(dir)
await store.createItem('bench', item(ITEMS)) // behind the index, which is made when the table opens
const report = new Report('search-filtered', { items: ITEMS, values: DIM })

const searchBy = (filter) => async () => {
  const query = { vector: unit(), limit: 10, offset: 0, ...(filter && { filter }) }
  const began = performance.now()
  await store.search('bench', query)
  return performance.now() - began
}
const tasks = Object.fromEntries(Object.entries(FILTERS).map(([name, filter]) => [name, searchBy(filter)]))
for (const [name, times] of Object.entries(await interleaved(tasks, QUERIES, sized(10, 0)))) report.row(name, times)
report.end()
await store.close()
await rm(dir, { recursive: true })
