import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Batcher, type BatcherOptions } from '../../../src/encoder/batcher.ts'
import { settleBatch } from '../../../src/encoder/settle-batch.ts'
import { Turns } from '../../../src/encoder/turns.ts'
import { DomainError } from '../../../src/errors.ts'

/** An item whose embedding is its own number; `bad` makes its batch fail. */
interface Item {
  id: number
  length?: number
  bad?: boolean
}

type Options = BatcherOptions<Item, string>

/** A batcher before a fake model that takes `tookMs` and records what it was given. */
function setup(options: Partial<Options> = {}, { tookMs = 10, workers = 1 } = {}) {
  const batches: number[][] = []
  const model = async (items: readonly Item[]) => {
    batches.push(items.map(({ id }) => id))
    await new Promise((resolve) => setTimeout(resolve, tookMs))
    if (items.some(({ bad }) => bad)) throw new Error('bad item')
    return items.map(({ id }) => new Float32Array([id]))
  }
  const sessions = new Turns(Array.from({ length: workers }, (_, i) => `session ${i}`))
  const batcher = new Batcher<Item, string>({
    maxBatch: 4,
    maxWaitMs: 5,
    maxCost: 1000,
    costOf: ({ length = 1 }) => length,
    bucketOf: ({ length = 1 }) => length,
    run: (items) => settleBatch(items, model),
    sessions,
    ...options,
  })
  return { batcher, batches, sessions }
}

const items = (count: number): Item[] => Array.from({ length: count }, (_, id) => ({ id }))
const code = (reason: unknown) => (reason as DomainError).code

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

async function settled(promises: Promise<Float32Array>[]) {
  const all = Promise.allSettled(promises)
  await vi.runAllTimersAsync()
  return all
}

const values = (results: PromiseSettledResult<Float32Array>[]) =>
  results.map((result) =>
    result.status === 'fulfilled' ? result.value[0] : String(code(result.reason) ?? result.reason),
  )

describe('a batch', () => {
  it('is full or as old as maxWaitMs, and answers in order', async () => {
    const { batcher, batches } = setup()
    const results = await settled(items(6).map((item) => batcher.submit(item)))
    expect(values(results)).toEqual([0, 1, 2, 3, 4, 5])
    expect(batches).toEqual([
      [0, 1, 2, 3],
      [4, 5],
    ])
  })

  it('leaves at once when it fills up, else after maxWaitMs', async () => {
    const { batcher, batches } = setup()
    const first = items(3).map((item) => batcher.submit(item))
    await vi.advanceTimersByTimeAsync(4)
    expect(batches).toEqual([])
    const last = batcher.submit({ id: 3 })
    await vi.advanceTimersByTimeAsync(0)
    expect(batches).toEqual([[0, 1, 2, 3]])
    await settled([...first, last])
    const lonely = batcher.submit({ id: 9 })
    await vi.advanceTimersByTimeAsync(4)
    expect(batches).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(batches).toHaveLength(2)
    await settled([lonely])
  })

  it('holds only items of equal length, the oldest first', async () => {
    const { batcher, batches } = setup()
    const lengths = [5, 7, 5, 7, 5, 8]
    const results = await settled(lengths.map((length, id) => batcher.submit({ id, length })))
    expect(values(results)).toEqual([0, 1, 2, 3, 4, 5])
    expect(batches).toEqual([[0, 2, 4], [1, 3], [5]])
  })

  it('is composed when a session is free, so that late items join', async () => {
    const { batcher, batches } = setup({}, { tookMs: 100 })
    const first = batcher.submit({ id: 0 })
    await vi.advanceTimersByTimeAsync(20)
    const second = batcher.submit({ id: 1 })
    await vi.advanceTimersByTimeAsync(50)
    const third = batcher.submit({ id: 2 })
    await settled([first, second, third])
    expect(batches).toEqual([[0], [1, 2]])
  })

  it('runs beside others where there are more sessions', async () => {
    const { batcher } = setup({ maxBatch: 1 }, { tookMs: 100, workers: 2 })
    const start = Date.now()
    await settled(items(4).map((item) => batcher.submit(item)))
    expect(Date.now() - start).toBe(200)
  })
})

describe('the work of a batch', () => {
  it('is bounded; what is larger by itself goes alone', async () => {
    const { batcher, batches } = setup({ maxBatch: 9, maxBatchWork: 10, workOf: ({ id }) => id, bucketOf: () => 0 })
    await settled([4, 6, 1, 50, 2, 3].map((id) => batcher.submit({ id })))
    expect(batches).toEqual([[4, 6], [1], [50], [2, 3]])
  })

  it('that fills a batch sends it at once', async () => {
    const { batcher, batches } = setup({ maxBatch: 9, maxBatchWork: 10, workOf: () => 5 })
    const all = items(2).map((item) => batcher.submit(item))
    await vi.advanceTimersByTimeAsync(0)
    expect(batches).toEqual([[0, 1]])
    await settled(all)
  })
})

describe('an idle batcher that does not wait', () => {
  it('sends what comes in one turn of the event loop together, at once', async () => {
    const { batcher, batches } = setup({ maxWaitMs: 0, together: true })
    const first = [batcher.submit({ id: 0 })]
    await Promise.resolve()
    first.push(batcher.submit({ id: 1 }))
    await vi.advanceTimersByTimeAsync(0)
    expect(batches).toEqual([[0, 1]])
    await settled(first)
  })
})

describe('a failure', () => {
  it('of one item fails that item alone', async () => {
    const { batcher, batches } = setup()
    const results = await settled(items(4).map((item) => batcher.submit({ ...item, bad: item.id === 2 })))
    expect(values(results)).toEqual([0, 1, 'Error: bad item', 3])
    expect(batches).toEqual([[0, 1, 2, 3], [0], [1], [2], [3]])
  })

  it('of a lonely item is not tried twice', async () => {
    const { batcher, batches } = setup()
    await settled([batcher.submit({ id: 0, bad: true })])
    expect(batches).toEqual([[0]])
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('crash'))],
    [
      'throws',
      () => {
        throw new Error('crash')
      },
    ],
  ])('of the session, which %s, fails every waiter and frees the session', async (_, crash) => {
    let crashes = 1
    const run: Options['run'] = (batch) =>
      crashes-- > 0 ? crash() : settleBatch(batch, async (all) => all.map(({ id }) => new Float32Array([id])))
    const { batcher } = setup({ run })
    expect(values(await settled(items(3).map((item) => batcher.submit(item))))).toEqual(
      new Array(3).fill('Error: crash'),
    )
    expect(values(await settled([batcher.submit({ id: 7 })]))).toEqual([7])
  })

  it('to answer for an item fails that item', async () => {
    const run: Options['run'] = async () => [{ status: 'fulfilled', value: new Float32Array([0]) }]
    const { batcher } = setup({ run })
    const two = await settled(items(2).map((item) => batcher.submit(item)))
    expect(two.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })
})

describe('the queue', () => {
  it('refuses what is above its bound of cost, with advice when to come back', async () => {
    const { batcher } = setup({ maxCost: 10 }, { tookMs: 3000 })
    const accepted = [batcher.submit({ id: 0, length: 6 }), batcher.submit({ id: 1, length: 4 })]
    const refused = await batcher.submit({ id: 2, length: 1 }).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(DomainError)
    expect(refused).toMatchObject({ code: 'overloaded', retryAfterS: 1 })
    expect(values(await settled(accepted))).toEqual([0, 1])
    const again = [batcher.submit({ id: 3, length: 10 })]
    // Learnt from the first batches: some 6 units in 3 s.
    await expect(batcher.submit({ id: 4 })).rejects.toMatchObject({ code: 'overloaded', retryAfterS: 6 })
    expect(values(await settled(again))).toEqual([3])
  })

  it('accepts an item above the bound when it is alone', async () => {
    const { batcher } = setup({ maxCost: 10 })
    expect(values(await settled([batcher.submit({ id: 5, length: 99 })]))).toEqual([5])
  })
})

describe('an aborted request', () => {
  it('is refused if it comes aborted', async () => {
    await expect(setup().batcher.submit({ id: 0 }, AbortSignal.abort())).rejects.toMatchObject({
      code: 'deadline-exceeded',
    })
  })

  it('never reaches the model, and frees its cost', async () => {
    const { batcher, batches } = setup({ maxCost: 2 }, { tookMs: 100 })
    const first = batcher.submit({ id: 0 })
    await vi.advanceTimersByTimeAsync(10)
    const controller = new AbortController()
    const second = batcher.submit({ id: 1 }, controller.signal).catch(code)
    await vi.advanceTimersByTimeAsync(10)
    controller.abort()
    expect(await second).toBe('deadline-exceeded')
    expect(values(await settled([first, batcher.submit({ id: 2 })]))).toEqual([0, 2])
    expect(batches).toEqual([[0], [2]])
  })

  it('is answered at once where the model has it already; its batch goes on', async () => {
    const { batcher } = setup({}, { tookMs: 100 })
    const controller = new AbortController()
    const mate = batcher.submit({ id: 0 })
    const aborted = batcher.submit({ id: 1 }, controller.signal).catch(code)
    await vi.advanceTimersByTimeAsync(50)
    controller.abort()
    expect(await aborted).toBe('deadline-exceeded')
    expect(values(await settled([mate]))).toEqual([0])
  })

  it('leaves an empty queue behind without harm', async () => {
    const { batcher, batches } = setup()
    const controller = new AbortController()
    const only = batcher.submit({ id: 0 }, controller.signal).catch(code)
    controller.abort()
    expect(await only).toBe('deadline-exceeded')
    await vi.runAllTimersAsync()
    expect(values(await settled([batcher.submit({ id: 1 })]))).toEqual([1])
    expect(batches).toEqual([[1]])
  })
})

describe('close', () => {
  it('finishes what was accepted, at once, and refuses the rest', async () => {
    const { batcher, batches } = setup({ maxWaitMs: 60_000 })
    const accepted = items(2).map((item) => batcher.submit(item))
    const closed = Promise.all([batcher.close(), batcher.close()]).then(() => 'closed')
    await expect(batcher.submit({ id: 9 })).rejects.toMatchObject({ code: 'encoder-unavailable' })
    await vi.advanceTimersByTimeAsync(10)
    expect(values(await settled(accepted))).toEqual([0, 1])
    expect(batches).toEqual([[0, 1]])
    expect(await closed).toBe('closed')
  })

  it('returns where there is nothing to finish', async () => {
    await setup().batcher.close()
  })
})

describe('whatever happens', () => {
  const plan = fc.record({
    length: fc.integer({ min: 1, max: 3 }),
    bad: fc.boolean(),
    atMs: fc.nat(60),
    abortAfterMs: fc.option(fc.nat(60), { nil: undefined }),
  })

  it('every waiter is settled with its own outcome, and no batch mixes lengths or exceeds its size', async () => {
    const property = fc.asyncProperty(
      fc.array(plan, { maxLength: 25 }),
      fc.integer({ min: 1, max: 3 }),
      async (plans, workers) => {
        const { batcher, batches } = setup({ maxBatch: 3, maxCost: 20 }, { workers })
        const waiters = plans.map(async ({ length, bad, atMs, abortAfterMs }, id) => {
          await new Promise((resolve) => setTimeout(resolve, atMs))
          const controller = new AbortController()
          if (abortAfterMs !== undefined) setTimeout(() => controller.abort(), abortAfterMs)
          return batcher.submit({ id, length, bad }, controller.signal)
        })
        const outcomes = values(await settled(waiters))
        outcomes.forEach((outcome, id) => {
          const { bad, abortAfterMs } = plans[id]!
          const allowed = [
            bad ? 'Error: bad item' : id,
            'overloaded',
            ...(abortAfterMs === undefined ? [] : ['deadline-exceeded']),
          ]
          expect(allowed).toContain(outcome)
        })
        for (const batch of batches) {
          expect(batch.length).toBeLessThanOrEqual(3)
          expect(new Set(batch.map((id) => plans[id]!.length)).size).toBe(1)
        }
        await batcher.close()
      },
    )
    await fc.assert(property, { seed: 1, numRuns: 100 })
  })
})
