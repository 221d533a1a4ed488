import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Recurring } from '../../src/recurring.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('runs at once, and again after the end of each run, failed ones too, until it is stopped', async () => {
  let runs = 0
  const recurring = new Recurring(async () => {
    runs++
    if (runs === 2) throw new Error('this time not')
  }, 1000)
  recurring.start()
  await vi.advanceTimersByTimeAsync(0)
  expect(runs).toBe(1)
  await vi.advanceTimersByTimeAsync(2000)
  expect(runs).toBe(3)
  await recurring.stop()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(runs).toBe(3)
})

it('has one run at a time, and waits for it when it is stopped', async () => {
  let end = () => {}
  let runs = 0
  const recurring = new Recurring(() => {
    runs++
    return new Promise<void>((resolve) => {
      end = resolve
    })
  }, 10)
  recurring.start()
  await vi.advanceTimersByTimeAsync(1000)
  expect(runs).toBe(1)
  let isStopped = false
  const stopping = recurring.stop().then(() => {
    isStopped = true
  })
  await vi.advanceTimersByTimeAsync(1000)
  expect(isStopped).toBe(false)
  end()
  await stopping
  await vi.advanceTimersByTimeAsync(1000)
  expect(runs).toBe(1)
})
