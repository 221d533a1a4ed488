/**
 * Search in the embedded store over 50,000 items: plain, and with a filter that one item in ten passes; interleaved.
 *   npm run build && node bench/search-filtered.mjs [items]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@lancedb/lancedb'
import { LanceVectorStore } from '../dist/vectors/lancedb.js'
import { rowsOf, schemaOf } from '../dist/vectors/rows.js'

const ITEMS = Number(process.argv[2] ?? 50_000)
const DIM = 192
const QUERIES = 100
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
console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`)
console.log(`${ITEMS} items of ${DIM} values`)

const times = Object.fromEntries(Object.keys(FILTERS).map((name) => [name, []]))
for (let q = 0; q < QUERIES + 10; q++) {
  for (const [name, filter] of Object.entries(FILTERS)) {
    const query = { vector: unit(), limit: 10, offset: 0, ...(filter && { filter }) }
    const started = performance.now()
    await store.search('bench', query)
    if (q >= 10) times[name].push(performance.now() - started)
  }
}
for (const [name, all] of Object.entries(times)) {
  const sorted = all.sort((a, b) => a - b)
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))].toFixed(1)
  console.log(`${name.padEnd(16)} p50 ${at(0.5)} ms  p95 ${at(0.95)} ms`)
}
await store.close()
await rm(dir, { recursive: true })
