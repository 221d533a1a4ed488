import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { QUEUE_OPTIONS, type Queue } from '../../src/queue/queue.ts'
import { RedisQueue } from '../../src/queue/redis-queue.ts'
import { startProxy, type Way } from '../proxy.ts'
import { HAS_REDIS, type RedisServer, startRedis } from '../redis-server.ts'
import { describeQueue } from './queue.ts'

describe.runIf(HAS_REDIS)('a real Redis', () => {
  let server: RedisServer
  let tests = 0
  const ways = new Map<Queue, Way>()
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(async () => {
    await Promise.all([...ways.values()].map((way) => way.cut().catch(() => undefined)))
    await server?.stop()
  })
  const open = (url: string, options = QUEUE_OPTIONS) =>
    new RedisQueue({ ...options, url, prefix: `test-${tests}`, onError: () => undefined })

  describeQueue('BullMQ', {
    open: async (options) => {
      const way = await startProxy(server.url)
      const queue = open(way.url, options)
      ways.set(queue, way)
      return queue
    },
    reset: async () => void tests++,
    kill: async (queue) => ways.get(queue)!.cut(),
    isShared: true,
    tellsDoubles: true,
  })

  it('says so, within seconds, where Redis is gone, and goes on once it is back, with what it had', async () => {
    tests++
    const queue = open(server.url)
    await queue.send(['a/b/0'])
    await server.kill()
    await expect(queue.send(['a/b/1'])).rejects.toMatchObject({ code: 'queue-unavailable' })
    await server.start()
    const seen: string[] = []
    const consumer = queue.consume({
      atOnce: 1,
      handle: async (message) => void seen.push(message),
      onParked: async () => undefined,
      onError: () => undefined,
    })
    await expect.poll(() => seen).toContain('a/b/0')
    await consumer.stop()
    await queue.close()
  })
})
