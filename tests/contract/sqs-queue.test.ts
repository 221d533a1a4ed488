import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { QUEUE_OPTIONS, type Queue } from '../../src/queue/queue.ts'
import { SqsQueue } from '../../src/queue/sqs-queue.ts'
import { startProxy, type Way } from '../proxy.ts'
import { type SqsStub, startSqsStub } from '../sqs-stub/server.ts'
import { describeQueue } from './queue.ts'

let stub: SqsStub
let tests = 0
const ways = new Map<Queue, Way>()
beforeAll(async () => {
  vi.stubEnv('AWS_REGION', 'eu-west-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test')
  stub = await startSqsStub()
})
afterAll(async () => {
  await Promise.all([...ways.values()].map((way) => way.cut().catch(() => undefined)))
  await stub.close()
  vi.unstubAllEnvs()
})

describeQueue('SQS with a dead-letter queue, which parks what was received thrice', {
  open: async (options) => {
    const way = await startProxy(stub.url(`jobs-${tests}`, { maxReceiveCount: 3 }))
    const queue = new SqsQueue({ ...options, url: way.url, waitS: 1 })
    ways.set(queue, way)
    return queue
  },
  reset: async () => void tests++,
  kill: async (queue) => ways.get(queue)!.cut(),
  isShared: true,
  tellsDoubles: false,
})

describe('SQS without one', () => {
  it('deletes what failed for the last time, once that is recorded', async () => {
    const queue = new SqsQueue({ ...QUEUE_OPTIONS, maxAttempts: 2, firstPauseMs: 1, url: stub.url('alone'), waitS: 1 })
    const parked: string[] = []
    await queue.send(['a/b/0'])
    const consumer = queue.consume({
      atOnce: 1,
      handle: () => Promise.reject(new Error('poison')),
      onParked: async (message) => void parked.push(message),
      onError: () => undefined,
    })
    await expect.poll(() => parked).toEqual(['a/b/0'])
    await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0, parked: 0 })
    await consumer.stop()
    await queue.close()
  })

  it('says so where SQS refuses', async () => {
    const queue = new SqsQueue({ ...QUEUE_OPTIONS, url: stub.url('alone') })
    stub.faults = 1
    await expect(queue.send(['a/b/0'])).rejects.toMatchObject({ code: 'queue-unavailable' })
    await queue.close()
  })
})

it('sends nothing that SQS would not take', () => {
  expect(stub.violations).toEqual([])
})
