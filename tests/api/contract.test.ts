import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/errors.ts'
import { Contract } from '../../src/http/openapi.ts'
import { PAGE_PATHS } from '../../src/http/pages.ts'
import { PROBLEM_TYPE_PREFIX, PROBLEMS } from '../../src/http/problems.ts'
import { DEFAULT_LIMITS } from '../../src/services/limits.ts'
import { call } from './conforms.ts'
import { type Harness, startHarness } from './harness.ts'

const contract = new Contract()
let h: Harness
beforeAll(async () => {
  h = await startHarness()
})
afterAll(() => h.close())

it('generates the types that are committed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'onepeace-types-'))
  const fresh = join(dir, 'contract.d.ts')
  execFileSync(process.execPath, ['node_modules/openapi-typescript/bin/cli.js', 'openapi/openapi.yaml', '-o', fresh])
  expect(readFileSync(fresh, 'utf8')).toBe(readFileSync('src/http/contract.d.ts', 'utf8'))
  rmSync(dir, { recursive: true })
})

it('has a handler for every operation, and none besides but the pages', async () => {
  await h.app.ready()
  for (const { method, path } of contract.operations) {
    expect(
      h.app.hasRoute({ method: method as 'GET', url: path.replace(/\{(\w+)\}/g, ':$1') }),
      `${method} ${path}`,
    ).toBe(true)
  }
  const routes = h.app.printRoutes({ commonPrefix: false }).match(/\((?:[A-Z, ]+)\)/g)!
  const handlers = routes.flatMap((methods) => methods.slice(1, -1).split(', ')).filter((method) => method !== 'HEAD')
  expect(handlers).toHaveLength(contract.operations.length + PAGE_PATHS.length)
})

it('agrees with registry, domain codes and docs/errors.md', () => {
  const codes = Object.keys(PROBLEMS).sort()
  expect([...(contract.schema('ProblemCode').enum as string[])].sort()).toEqual(codes)
  expect(codes).toEqual([...ERROR_CODES, 'method-not-allowed', 'range-not-satisfiable'].sort())
  const rows = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `([\w-]+)` +\| (\d+) +\| (.+?) +\|/gm)]
  const documented = Object.fromEntries(
    rows.map(([, code, status, title]) => [code, { status: Number(status), title }]),
  )
  expect(documented).toEqual(PROBLEMS)
  expect(readFileSync('docs/errors.md', 'utf8')).toContain(`${PROBLEM_TYPE_PREFIX}invalid-request`)
})

it('gives only examples that are valid', () => {
  type Media = { schema: { $ref: string }; examples?: Record<string, { value: unknown }> }
  const paths = contract.document.paths as Record<
    string,
    Record<string, { requestBody?: { content: Record<string, Media> } }>
  >
  const media = Object.values(paths)
    .flatMap((methods) => Object.values(methods))
    .flatMap((operation) => operation.requestBody?.content['application/json'] ?? [])
  expect(media.length).toBeGreaterThan(4)
  for (const { schema, examples = {} } of media) {
    for (const { value } of Object.values(examples)) contract.check(schema.$ref.split('/').at(-1) as 'Content', value)
  }
})

it('serves itself, the model and the limits', async () => {
  expect((await call(h.app, { method: 'GET', url: '/openapi.json' })).json()).toEqual(contract.document)
  const models = (await call(h.app, { method: 'GET', url: '/v1/models' })).json()
  expect(models.data[0]).toMatchObject({
    id: 'fake-nano',
    object: 'model',
    dims: 16,
    modalities: ['text', 'image', 'audio'],
  })
  expect(models.limits.max_request_bytes).toBe(DEFAULT_LIMITS.maxRequestBytes)
  const description = (contract.document.info as { description: string }).description
  for (const limit of [
    '64 MiB',
    '128 inputs',
    '2,048',
    '100,000 characters',
    '64 megapixels',
    '30 minutes',
    '64 KiB',
  ]) {
    expect(description.replace(/\s+/g, ' ')).toContain(limit)
  }
})

it('tells live from ready', async () => {
  expect((await call(h.app, { method: 'GET', url: '/livez' })).json()).toEqual({ status: 'live' })
  const modalities = { text: 'ready', image: 'ready', audio: 'ready' }
  expect((await call(h.app, { method: 'GET', url: '/readyz' })).json()).toEqual({ status: 'ready', modalities })
  expect((await call(h.app, { method: 'GET', url: '/readyz?modality=image' })).statusCode).toBe(200)
  expect((await call(h.app, { method: 'GET', url: '/readyz?modality=video' })).statusCode).toBe(400)
  h.encoder.notReady = new Error('no weights')
  const response = await call(h.app, { method: 'GET', url: '/readyz' })
  h.encoder.notReady = undefined
  expect(response.statusCode).toBe(503)
  expect(response.headers['retry-after']).toBe('5')
  expect(response.json().code).toBe('encoder-unavailable')
  expect((await call(h.app, { method: 'GET', url: '/livez' })).statusCode).toBe(200)
})
