/** What every engine of the queue does; each engine's own test says how it is opened. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Consumer, Queue, QueueOptions, Work } from '../../src/queue/queue.ts'

export interface Engine {
  /** Opens what another queue of the engine left, or an empty one. */
  open(options: QueueOptions): Promise<Queue>
  /** Forgets everything. */
  reset(): Promise<void>
  /**
   * Ends a queue as the death of its process would: nothing is told to anyone.
   * @returns once nothing more comes from it
   */
  kill(queue: Queue): Promise<void>
  /** Whether several processes may use the queue at once. */
  isShared: boolean
  /** Whether one that waits already is not sent again. */
  tellsDoubles: boolean
}

const OPTIONS: QueueOptions = { maxAttempts: 3, firstPauseMs: 20, lifeMs: 1000 }

export function describeQueue(name: string, engine: Engine): void {
  describe(name, () => {
    let queue: Queue
    const queues: Queue[] = []
    const consumers: Consumer[] = []
    const open = async () => {
      const opened = await engine.open(OPTIONS)
      queues.push(opened)
      return opened
    }
    const consume = (from: Queue, work: Partial<Work>): Consumer => {
      const consumer = from.consume({
        atOnce: 1,
        handle: async () => undefined,
        onParked: async () => undefined,
        onError: () => undefined,
        ...work,
      })
      consumers.push(consumer)
      return consumer
    }
    beforeEach(async () => {
      await engine.reset()
      queue = await open()
    })
    afterEach(async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()))
      await Promise.all(queues.splice(0).map((each) => each.close()))
    })
    const names = (n: number) => Array.from({ length: n }, (_, i) => `acme/0198c5f4-7a53-7c1b-b1a6-52a7f2d0c9aa/${i}`)

    it('hands out each message, and forgets it once it is done', async () => {
      const seen: string[] = []
      await queue.send(names(25))
      expect((await queue.depth()).waiting).toBe(25)
      consume(queue, { atOnce: 4, handle: async (message) => void seen.push(message) })
      await expect.poll(() => new Set(seen).size).toBe(25)
      await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0, parked: 0 })
      expect(seen.sort()).toEqual(names(25).sort())
    })

    it('hands out what is sent later to a consumer that waits', async () => {
      const seen: string[] = []
      consume(queue, { handle: async (message) => void seen.push(message) })
      await queue.send(names(1))
      await expect.poll(() => seen).toEqual(names(1))
    })

    it('has no more in work at once than was asked for', async () => {
      let running = 0
      let most = 0
      let done = 0
      await queue.send(names(12))
      consume(queue, {
        atOnce: 3,
        handle: async () => {
          most = Math.max(most, ++running)
          await new Promise((resolve) => setTimeout(resolve, 20))
          running--
          done++
        },
      })
      await expect.poll(() => done).toBe(12)
      expect(most).toBe(3)
    })

    it('counts what is in work', async () => {
      let finish = () => {}
      const finished = new Promise<void>((resolve) => {
        finish = resolve
      })
      await queue.send(names(2))
      consume(queue, { handle: () => finished })
      await expect.poll(() => queue.depth()).toEqual({ waiting: 1, active: 1, parked: 0 })
      finish()
      await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0, parked: 0 })
    })

    it('hands a message out again whose handling failed, and says which time it is', async () => {
      const attempts: number[] = []
      const errors: unknown[] = []
      await queue.send(names(1))
      consume(queue, {
        handle: async (_message, attempt) => {
          attempts.push(attempt)
          if (attempt < 3) throw new Error(`attempt ${attempt}`)
        },
        onError: (error) => errors.push(error),
      })
      await expect.poll(() => attempts).toEqual([1, 2, 3])
      await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0, parked: 0 })
      expect(errors.map(String)).toEqual(['Error: attempt 1', 'Error: attempt 2'])
    })

    it('parks a message that failed for the last time, once that is recorded, and goes on with the others', async () => {
      const parked: [string, unknown][] = []
      const done: string[] = []
      const [bad, ...good] = names(4)
      await queue.send([bad!, ...good])
      let refusals = 1
      consume(queue, {
        handle: async (message) => {
          if (message === bad) throw new Error('poison')
          done.push(message)
        },
        onParked: async (message, reason) => {
          if (refusals-- > 0) throw new Error('cannot be recorded now')
          parked.push([message, String(reason)])
        },
      })
      await expect.poll(() => parked).toHaveLength(1)
      expect(parked[0]![0]).toBe(bad)
      await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0, parked: 1 })
      expect(done.sort()).toEqual(good.sort())
    })

    it('keeps what nobody had when it was closed', async () => {
      await queue.send(names(3))
      await queue.close()
      const again = await open()
      expect((await again.depth()).waiting).toBe(3)
      const seen: string[] = []
      consume(again, { handle: async (message) => void seen.push(message) })
      await expect.poll(() => seen.sort()).toEqual(names(3))
    })

    it('hands out again what a consumer had that was stopped', async () => {
      await queue.send(names(1))
      let began = () => {}
      const beginning = new Promise<void>((resolve) => {
        began = resolve
      })
      const consumer = consume(queue, {
        handle: (_message, _attempt, signal) => {
          began()
          return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        },
      })
      await beginning
      await consumer.stop()
      const attempts: number[] = []
      consume(queue, { handle: async (_message, attempt) => void attempts.push(attempt) })
      await expect.poll(() => attempts).toEqual([2])
    })

    it('hands out again what a process had that died, and counts that attempt', async () => {
      await queue.send(names(2))
      let began = () => {}
      const beginning = new Promise<void>((resolve) => {
        began = resolve
      })
      consume(queue, {
        handle: () => {
          began()
          return new Promise(() => undefined)
        },
      })
      await beginning
      consumers.splice(0)
      queues.splice(0)
      await engine.kill(queue)
      const seen: Record<string, number> = {}
      const note = async (message: string, attempt: number) => {
        seen[message] = attempt
      }
      consume(await open(), { handle: note })
      await expect.poll(() => Object.keys(seen).length).toBe(2)
      expect(Object.values(seen).sort()).toEqual([1, 2])
    })

    it('parks what every process that took it died of', async () => {
      await queue.send(names(1))
      for (let death = 0; death < OPTIONS.maxAttempts; death++) {
        let began = () => {}
        const beginning = new Promise<void>((resolve) => {
          began = resolve
        })
        consume(queue, {
          handle: () => {
            began()
            return new Promise(() => undefined)
          },
        })
        await beginning
        consumers.splice(0)
        queues.splice(0)
        await engine.kill(queue)
        queue = await open()
      }
      const handled: string[] = []
      const parked: string[] = []
      consume(queue, {
        handle: async (message) => void handled.push(message),
        onParked: async (message) => void parked.push(message),
      })
      await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0, parked: 1 })
      expect(handled).toEqual([])
    })

    it.runIf(engine.tellsDoubles)('does not take a message twice that waits, is in work, or is parked', async () => {
      await queue.send(names(2))
      await queue.send(names(3))
      expect((await queue.depth()).waiting).toBe(3)
    })

    it.runIf(engine.isShared)('shares messages between consumers of several processes', async () => {
      const other = await open()
      const seen = { one: [] as string[], two: [] as string[] }
      const slowly = (by: 'one' | 'two') => async (message: string) => {
        seen[by].push(message)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      consume(queue, { handle: slowly('one') })
      consume(other, { handle: slowly('two') })
      await queue.send(names(30))
      await expect.poll(() => seen.one.length + seen.two.length).toBe(30)
      expect([...seen.one, ...seen.two].sort()).toEqual(names(30).sort())
      expect(Math.min(seen.one.length, seen.two.length)).toBeGreaterThan(0)
    })
  })
}
