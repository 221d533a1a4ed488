// Child of durability.test.ts: writes items one after another and prints each id once it is acknowledged, until killed.
// argv: data folder, first number. Runs the built code, since Node 20 does not run TypeScript.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { BlobStore } from '../../dist/blobs/blob-store.js'
import { connectServices } from '../../dist/commands/compose.js'
import { buildApp } from '../../dist/http/app.js'
import { ContentEncoder } from '../../dist/services/content.js'
import { DEFAULT_LIMITS as limits } from '../../dist/services/limits.js'
import { LanceVectorStore } from '../../dist/vectors/lancedb.js'

const [, , dir, first] = process.argv
const modalities = ['text']
const encoder = {
  embedDim: 16,
  modalities,
  async encode({ tokenIds }) {
    const values = Array.from(createHash('md5').update(String(tokenIds)).digest(), (byte) => byte - 127.5)
    const norm = Math.hypot(...values)
    return Float32Array.from(values, (value) => value / norm)
  },
}
const tokenizer = { encode: (text) => ({ tokenIds: [...Buffer.from(text)], truncated: false }) }
const content = new ContentEncoder({ encoder, tokenizer, limits })
const info = {
  name: 'fake-nano',
  embedDim: 16,
  modalities,
  precision: 'fp32',
  logitScale: 20,
  sha256: '',
  createdS: 0,
  limits,
}
const store = new LanceVectorStore(join(dir, 'vectors'))
const { keeper, ...deps } = connectServices(
  { info, encoder, content, heads: undefined },
  store,
  new BlobStore(join(dir, 'blobs')),
)
await keeper.sweep()
const app = await buildApp({ host: '127.0.0.1', limits, logLevel: 'silent', keys: undefined }, deps)

await app.inject({ method: 'POST', url: '/v1/collections', payload: { name: 'kept' } })
const url = '/v1/collections/kept/items'
for (let n = Number(first); ; n++) {
  const item = { id: `item-${n}`, input: `text ${n}` }
  const created = await app.inject({ method: 'POST', url, payload: item })
  if (created.statusCode === 201) process.stdout.write(`${item.id}\n`)
  await app.inject({ method: 'PUT', url: `${url}/replaced`, payload: { input: `version ${n}`, metadata: { n } } })
}
