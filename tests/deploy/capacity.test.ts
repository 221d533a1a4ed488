/** The model of cost and capacity, and autoscaling replayed through the service's own batcher. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const execute = promisify(execFile)
const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const run = async (script: string, ...args: string[]) =>
  (await execute(process.execPath, [at(`deploy/capacity/${script}`), ...args])).stdout

describe('docs/scale.md', () => {
  it('has the tables that the model makes of its inputs', async () => {
    const made = await run('scale.mjs')
    expect(readFileSync(at('docs/scale.md'), 'utf8')).toContain(made.trim())
  })

  it('says of prices that they are examples, and of which date', () => {
    const { prices } = JSON.parse(readFileSync(at('deploy/capacity/inputs.json'), 'utf8'))
    expect(prices._).toMatch(/EXAMPLE.*\d{4}-\d{2}-\d{2}.*no vendor's price list/)
    expect(readFileSync(at('docs/scale.md'), 'utf8')).toMatch(/\*\*Prices are\s+examples\*\*/)
  })
})

describe('the model', () => {
  it('counts the parameters that a branch of the official model has, and the work of a picture', async () => {
    const { flopsOf } = await import(at('deploy/capacity/model.mjs'))
    const model = { layers: 40, embedDim: 1536, ffnEmbedDim: 6144, positions: { image: 257 } }
    const parameters = 40 * (4 * 1536 ** 2 + 3 * 1536 * 6144)
    expect(parameters / 1e9).toBeCloseTo(1.51, 2)
    expect(flopsOf(model, 'image')).toBe(2 * parameters * 257 + 4 * 40 * 257 ** 2 * 1536)
  })

  it('needs a shard more where memory is full, and less memory the smaller the copies', async () => {
    const { storeFor } = await import(at('deploy/capacity/model.mjs'))
    const inputs = JSON.parse(readFileSync(at('deploy/capacity/inputs.json'), 'utf8'))
    const shards = [1e5, 1e7, 1e8, 1e9].map((items) => storeFor(inputs, items, 'scalar').shards)
    expect(shards).toEqual([...shards].sort((a, b) => a - b))
    const memory = ['none', 'scalar', 'binary'].map((kind) => storeFor(inputs, 1e8, kind).memoryGb)
    expect(memory).toEqual([...memory].sort((a, b) => b - a))
  })
})

describe('a fleet on a virtual clock', () => {
  const setting = {
    minimum: 0,
    maximum: 2,
    wakeS: 120,
    idleMinutes: 5,
    perMinute: 600,
    deadlineS: 25,
    maxWaitMs: 2,
    batch: { fixedMs: 10, perInputMs: 20 },
  }
  const replayed = async (times: number[], changes: object = {}) => {
    const { replay } = await import(at('deploy/capacity/fleet.mjs'))
    return replay(times, { ...setting, ...changes })
  }
  const together = (atMs: number, count: number) => Array.from({ length: count }, (_, i) => atMs + i * 0.01)

  it('batches as the service does: the first goes when its wait is over, what comes meanwhile goes together', async () => {
    const { batches, latenciesMs } = await replayed(together(1000, 17), { minimum: 1, maxBatch: 8 })
    expect(batches).toEqual([8, 8, 1])
    expect(latenciesMs[0]).toBeCloseTo(170, 0) // 10 + 8 × 20
  })

  it('tells whoever meets no encoder that one is starting, and answers once it has', async () => {
    const { starting, answered } = await replayed([1000, 70_000, 200_000])
    expect([starting, answered]).toEqual([2, 1]) // wanted at 60 s, ready at 180 s
  })

  it('goes to sleep after its idle minutes, and costs nothing then', async () => {
    const once = await replayed([1000])
    const { encoderHours } = await replayed([1000, 3 * 3600_000])
    expect(once.encoderHours).toBeLessThan(0.2)
    expect(encoderHours).toBeLessThan(0.5)
  })

  it('comes to the same figures whenever it is asked, in bursts of arrivals that are the same for the same seed', async () => {
    const args = ['autoscaling.mjs', '--hours', '0.25']
    const [first, second] = [await run(args[0]!, ...args.slice(1)), await run(args[0]!, ...args.slice(1))]
    expect(second).toBe(first)
    expect(first.split('\n').filter((line) => line.startsWith('| L4'))).toHaveLength(8)
    expect(await run(args[0]!, ...args.slice(1), '--seed', '8')).not.toBe(first)
  })
})
