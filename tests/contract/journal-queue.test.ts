import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { JournalQueue } from '../../src/queue/journal-queue.ts'
import { QUEUE_OPTIONS } from '../../src/queue/queue.ts'
import { describeQueue } from './queue.ts'

let dir: string
let kills = 0
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-queue-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

describeQueue('a journal', {
  open: (options) => JournalQueue.open(join(dir, `q${kills}`), options),
  reset: () => rm(join(dir, `q${kills}`), { recursive: true, force: true }),
  // What stands in the journal at that moment is all that a process started later sees.
  kill: async () => {
    const log = await readFile(join(dir, `q${kills}`, 'log'))
    await JournalQueue.open(join(dir, `q${++kills}`), QUEUE_OPTIONS).then((queue) => queue.close())
    await appendFile(join(dir, `q${kills}`, 'log'), log)
  },
  isShared: false,
  tellsDoubles: true,
})

it('does without a last line that was cut off, and reads every other', async () => {
  const path = join(dir, 'torn')
  const queue = await JournalQueue.open(path, QUEUE_OPTIONS)
  await queue.send(['a', 'b'])
  await queue.close()
  await appendFile(join(path, 'log'), '+half')
  const again = await JournalQueue.open(path, QUEUE_OPTIONS)
  expect(await again.depth()).toEqual({ waiting: 2, active: 0, parked: 0 })
  await again.close()
})

it('stays short however much goes through it', async () => {
  const path = join(dir, 'long')
  const queue = await JournalQueue.open(path, QUEUE_OPTIONS)
  let done = 0
  const consumer = queue.consume({
    atOnce: 64,
    handle: async () => void done++,
    onParked: async () => undefined,
    onError: (error) => expect.unreachable(String(error)),
  })
  for (let n = 0; n < 6000; n += 500) await queue.send(Array.from({ length: 500 }, (_, i) => `message ${n + i}`))
  await expect.poll(() => done).toBe(6000)
  await consumer.stop()
  expect((await readFile(join(path, 'log'), 'utf8')).split('\n').length).toBeLessThan(15_000)
  await queue.close()
})

it('refuses what is no message', async () => {
  const queue = await JournalQueue.open(join(dir, 'plain'), QUEUE_OPTIONS)
  await expect(queue.send(['two\nlines'])).rejects.toThrow(RangeError)
  await queue.close()
})
