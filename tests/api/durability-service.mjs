// Child of durability.test.ts: the service over a data folder (argv), with a fake model; prints its port. Runs the built code, since Node 20 does not run TypeScript.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { connectServices } from '../../dist/commands/compose.js'
import { dataLayout } from '../../dist/commands/data-dir.js'
import { filesIn } from '../../dist/commands/files.js'
import { buildApp } from '../../dist/http/app.js'
import { ContentEncoder } from '../../dist/services/content.js'
import { DEFAULT_LIMITS as limits } from '../../dist/services/limits.js'
import { LanceVectorStore } from '../../dist/vectors/lancedb.js'

const [, , dir] = process.argv
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
  filesIn({ ...dataLayout(dir), originalsDir: join(dir, 'blobs') }),
)
await keeper.sweep()
const app = await buildApp({ host: '127.0.0.1', limits, logLevel: 'silent', keys: undefined }, deps)

await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${app.server.address().port}\n`)
