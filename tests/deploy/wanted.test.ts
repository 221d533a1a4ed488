/** What wakes GPUs is counted in the API's log: the pattern that counts must find what the log says. */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { parse } from 'yaml'
import { DomainError } from '../../src/errors.ts'
import { stage } from '../../src/telemetry/request-trace.ts'
import { call } from '../api/conforms.ts'
import { type Harness, startHarness } from '../api/harness.ts'

const template = parse(readFileSync(new URL('../../deploy/serverless/encoder-gpu.yml', import.meta.url), 'utf8'))
const pattern: string = template.Resources.Wanted.Properties.FilterPattern

interface Line {
  problem?: string
  stages?: Record<string, number>
}

/** As CloudWatch reads the pattern, which has no more in it than this. */
function isCounted({ problem, stages = {} }: Line): boolean {
  expect(pattern.trim()).toBe(
    '{ ($.problem = "encoder-starting") || (($.stages.encode > 0) && ($.stages.encode_local NOT EXISTS)) }',
  )
  return problem === 'encoder-starting' || ((stages.encode ?? 0) > 0 && stages.encode_local === undefined)
}

let h: Harness
let lines: Line[]
beforeEach(async () => {
  lines = []
  h = await startHarness({ log: { write: (line) => lines.push(JSON.parse(line)) } })
  h.encoder.delayMs = 5
})
afterEach(() => h.close())

const embed = async () => {
  const { statusCode } = await call(h.app, { method: 'POST', url: '/v1/embeddings', payload: { input: 'a' } })
  await expect.poll(() => lines.some(({ stages }) => stages)).toBe(true)
  return { statusCode, counted: lines.filter(isCounted).length }
}

it('counts a request that an encoder answered', async () => {
  expect(await embed()).toEqual({ statusCode: 200, counted: 1 })
})

it('counts a request that met none', async () => {
  h.encoder.failure = new DomainError('encoder-starting', 'The encoder services are starting.', { retryAfterS: 60 })
  expect(await embed()).toEqual({ statusCode: 503, counted: 1 })
})

it("does not count a text that the API's own copy encoded, nor a request that needs no encoder", async () => {
  const encode = h.encoder.encode.bind(h.encoder)
  h.encoder.encode = (input, signal) => stage('encode_local', () => encode(input, signal))
  expect(await embed()).toEqual({ statusCode: 200, counted: 0 })
  await call(h.app, { method: 'GET', url: '/v1/collections' })
  expect(lines.filter(isCounted)).toEqual([])
})
