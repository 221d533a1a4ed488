/** That the stub's checks refuse anything: without this, no violations would say nothing. */
import { expect, it } from 'vitest'
import { openApiFile, RequestChecker } from './openapi.ts'

it('refuses requests that the OpenAPI of Qdrant does not describe', ({ skip }) => {
  const file = openApiFile()
  if (file === undefined) return skip('Qdrant’s OpenAPI is not on this machine (ONEPEACE_QDRANT_OPENAPI).')
  const checker = new RequestChecker(file)
  const check = (method: string, path: string, body?: unknown) =>
    checker.check(method, new URL(path, 'http://stub'), body)
  const points = [{ id: '00000000-0000-8000-8000-000000000000', vector: { v1: [1] }, payload: {} }]
  const batch = (operation: unknown) => ['POST', '/collections/c/points/batch', { operations: [operation] }] as const
  expect(check(...batch({ upsert: { points, update_mode: 'insert_only' } }))).toBeUndefined()
  expect(check(...batch({ upsert: { points, update_mode: 'insert' } }))).toContain('/points/batch')
  expect(check(...batch({ upsert: { points, mode: 'insert_only' } }))).toBeDefined()
  expect(check(...batch({ upsert: { points: [{ id: 'x' }] } }))).toBeDefined()
  expect(
    check('POST', '/collections/c/points/count', { filter: { must: [{ key: 'k', match: { value: 1.5 } }] } }),
  ).toBeDefined()
  expect(check('POST', '/collections/c/points/search', { vector: [1] })).toContain('no such operation')
  expect(check('POST', '/collections/c/points/count?exakt=1', {})).toContain("'exakt'")
  expect(check('GET', '/collections', { a: 1 })).toContain('takes no body')
})
