import { expect, it } from 'vitest'
import { Breaker } from '../../../../src/encoder/remote/breaker.ts'

function breakerAt(clock: { ms: number }): Breaker {
  return new Breaker(() => clock.ms)
}

it('opens after three failures in a row, and not if one success lies between', () => {
  const breaker = breakerAt({ ms: 0 })
  breaker.failed()
  breaker.failed()
  breaker.succeeded()
  breaker.failed()
  breaker.failed()
  expect(breaker.state).toBe('closed')
  breaker.failed()
  expect(breaker.state).toBe('open')
})

it('lets a trial in when its pause is over, and pauses longer each time that fails', () => {
  const clock = { ms: 0 }
  const breaker = breakerAt(clock)
  breaker.trip()
  for (const pauseMs of [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]) {
    clock.ms += pauseMs - 1
    expect(breaker.state).toBe('open')
    clock.ms += 1
    expect(breaker.state).toBe('half-open')
    breaker.failed()
  }
  clock.ms += 10_000
  breaker.succeeded()
  expect(breaker.state).toBe('closed')
  breaker.trip()
  clock.ms += 250
  expect(breaker.state).toBe('half-open')
})

it('is moved neither way by what ends while it is open, as that was begun before', () => {
  const clock = { ms: 0 }
  const breaker = breakerAt(clock)
  breaker.trip()
  clock.ms = 200
  breaker.trip()
  breaker.succeeded()
  expect(breaker.state).toBe('open')
  clock.ms = 250
  expect(breaker.state).toBe('half-open')
})
