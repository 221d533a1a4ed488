import type { InjectOptions } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { changeKeys, keyFileOf } from '../../src/auth/key-file.ts'
import { newKey, SCOPES, type Scope } from '../../src/auth/keys.ts'
import { DomainError } from '../../src/errors.ts'
import { Contract, type Operation } from '../../src/http/openapi.ts'
import { HttpProblem, problemOf } from '../../src/http/problems.ts'
import { call } from './conforms.ts'
import { type Harness, startHarness } from './harness.ts'

const contract = new Contract()
const guarded = contract.operations.filter(({ path }) => path.startsWith('/v1/'))

let h: Harness
afterEach(() => h.close())

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

async function makeKey(tenant = 'default', scopes: readonly Scope[] = SCOPES) {
  const { key, record } = newKey({ tenant, scopes })
  await changeKeys(keyFileOf(h.dir), (keys) => [...keys, record])
  return { ...bearer(key), id: record.id }
}

/** A body that each operation takes. */
const BODIES: Record<string, unknown> = {
  createEmbeddings: { input: 'a' },
  compareContents: { a: ['a'], b: ['b'] },
  createItem: { id: 'item', input: 'a' },
  putItem: { input: 'a' },
  searchCollection: { query: 'a' },
}

function requestOf({ operationId, method, path }: Operation, collection: string): InjectOptions {
  const payload = operationId === 'createCollection' ? { name: collection } : BODIES[operationId]
  return {
    method: method as 'GET',
    url: path.replace('{collection}', collection).replace('{id}', 'item'),
    ...(payload !== undefined && { payload: payload as object }),
  }
}

describe('keys', () => {
  beforeEach(async () => {
    h = await startHarness()
  })

  it('gives every operation under /v1 a scope in the contract, and the others none', () => {
    for (const { operationId, path, scope } of contract.operations) {
      expect(scope !== undefined, operationId).toBe(path.startsWith('/v1/'))
    }
  })

  it('asks for none until there is one; then for one everywhere under /v1, and nowhere else', async () => {
    expect((await call(h.app, { url: '/v1/models' })).statusCode).toBe(200)
    const { id } = await makeKey()
    for (const operation of guarded) {
      const response = await call(h.app, requestOf(operation, 'c'))
      expect([operation.operationId, response.statusCode]).toEqual([operation.operationId, 401])
      expect(response.json().code).toBe('unauthenticated')
      expect(response.headers['www-authenticate']).toBe('Bearer')
    }
    expect((await h.app.inject({ method: 'HEAD', url: '/v1/models' })).statusCode).toBe(401)
    for (const url of ['/livez', '/readyz', '/openapi.json']) {
      expect((await call(h.app, { url })).statusCode).toBe(200)
    }
    await changeKeys(keyFileOf(h.dir), (keys) => keys.filter((key) => key.id !== id))
    expect((await call(h.app, { url: '/v1/models' })).statusCode).toBe(401)
  })

  it('takes a valid key, and no wrong, revoked or otherwise written one', async () => {
    const { id, ...headers } = await makeKey()
    const status = async (authorization: string) =>
      (await call(h.app, { url: '/v1/models', headers: { authorization } })).statusCode
    expect(await status(headers.authorization)).toBe(200)
    expect(await status(headers.authorization.replace('Bearer', 'bearer'))).toBe(200)
    for (const wrong of [`Bearer op_${'A'.repeat(43)}`, 'Bearer ', headers.authorization.slice(7), 'Basic YTpi', '']) {
      expect(await status(wrong)).toBe(401)
    }
    await makeKey()
    await changeKeys(keyFileOf(h.dir), (keys) => keys.filter((key) => key.id !== id))
    expect(await status(headers.authorization)).toBe(401)
  })

  it('lets a key do what its scopes allow, and names the scope it lacks', async () => {
    for (const scope of SCOPES) {
      const { id, ...headers } = await makeKey('default', [scope])
      for (const operation of guarded) {
        const response = await call(h.app, { ...requestOf(operation, 'c'), headers })
        const isAllowed = operation.scope === scope
        expect([operation.operationId, response.statusCode === 403]).toEqual([operation.operationId, !isAllowed])
        if (!isAllowed) expect(response.json().detail).toContain(`'${operation.scope}'`)
      }
    }
  })

  it('keeps other host names and web pages out, key or not', async () => {
    const { id, ...headers } = await makeKey()
    const response = await call(h.app, { url: '/v1/models', headers: { ...headers, host: 'evil.example' } })
    expect(response.statusCode).toBe(403)
  })
})

it('lets nobody in beyond loopback without keys, unless told --no-auth', async () => {
  h = await startHarness({ host: '0.0.0.0' })
  expect((await call(h.app, { url: '/v1/models' })).statusCode).toBe(401)
  await h.close()
  h = await startHarness({ host: '0.0.0.0', noAuth: true })
  await makeKey()
  expect((await call(h.app, { url: '/v1/models' })).statusCode).toBe(200)
})

describe('tenants', () => {
  beforeEach(async () => {
    h = await startHarness()
  })

  /** What tells one answer from another: all but what is of this request or names what was asked for. */
  async function answer(operation: Operation, collection: string, headers: Record<string, string>) {
    const response = await call(h.app, { ...requestOf(operation, collection), headers })
    const text = response.body
      .replaceAll(collection, 'NAME')
      .replace(/"(request_id|created_at)":"[^"]*"|"took_ms":[\d.]+/g, '')
    const { location = '', ...others } = response.headers
    const timeless = Object.keys(others).filter((name) => name !== 'content-length')
    return [operation.operationId, response.statusCode, text, String(location).replace(collection, 'NAME'), timeless]
  }

  it.each([
    ['acme', 'default'],
    ['default', 'acme'],
    ['acme', 'acme-2'],
  ])("answers %s about %s's collection as about one that never was, on every route", async (asking, owner) => {
    const { id: _, ...ask } = await makeKey(asking)
    const { id: __, ...own } = await makeKey(owner)
    await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'theirs' }, headers: own })
    const item = { id: 'item', input: 'a' }
    await call(h.app, { method: 'POST', url: '/v1/collections/theirs/items', payload: item, headers: own })
    const routes = guarded.filter(({ operationId }) => !['createCollection', 'deleteCollection'].includes(operationId))
    const [make, remove] = [contract.operation('createCollection'), contract.operation('deleteCollection')]
    // From `make` on the asking tenant has collections of both names, and a list of both that cannot tell one from another.
    const later = routes.filter(({ operationId }) => operationId !== 'listCollections')
    for (const operation of [remove, ...routes, make, ...later, remove, ...routes]) {
      expect(await answer(operation, 'theirs', ask)).toEqual(await answer(operation, 'nobodys', ask))
    }
    const theirs = await call(h.app, { url: '/v1/collections/theirs', headers: own })
    expect(theirs.json()).toMatchObject({ name: 'theirs', items: 1 })
    const media = await call(h.app, { url: '/v1/collections/theirs/items/item/media', headers: own })
    expect([media.statusCode, media.body]).toEqual([200, 'a'])
  })

  it('lists to each its own, by bare names, and says bare names in urls and errors', async () => {
    const { id: _, ...acme } = await makeKey('acme')
    const { id: __, ...none } = await makeKey('default')
    for (const [name, headers] of [
      ['b', acme],
      ['a', acme],
      ['z', none],
    ] as const) {
      const made = await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name }, headers })
      expect([made.statusCode, made.headers.location, made.json().name]).toEqual([201, `/v1/collections/${name}`, name])
    }
    const names = async (headers: Record<string, string>) =>
      (await call(h.app, { url: '/v1/collections', headers }))
        .json()
        .collections.map((each: { name: string }) => each.name)
    expect(await names(acme)).toEqual(['a', 'b'])
    expect(await names(none)).toEqual(['z'])
    const again = await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'a' }, headers: acme })
    expect(again.json().detail).toBe("A collection 'a' already exists.")
    const url = '/v1/collections/a/items'
    const item = await call(h.app, { method: 'POST', url, payload: { id: '1', input: 'a' }, headers: acme })
    expect(item.json().media_url).toBe('/v1/collections/a/items/1/media')
    const lost = await call(h.app, { url: '/v1/collections/z/items', headers: acme })
    expect(lost.json().detail).toBe("There is no collection 'z'.")
    for (const name of ['acme.a', 'default.z', 'acme%2Ea']) {
      expect((await call(h.app, { url: `/v1/collections/${name}`, headers: none })).statusCode).toBe(400)
    }
  })

  it('keeps an original that both have until neither has it', async () => {
    const { id: _, ...acme } = await makeKey('acme')
    const { id: __, ...beta } = await makeKey('beta')
    for (const headers of [acme, beta]) {
      await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'c' }, headers })
      const payload = { id: '1', input: 'the same' }
      await call(h.app, { method: 'POST', url: '/v1/collections/c/items', payload, headers })
    }
    await call(h.app, { method: 'DELETE', url: '/v1/collections/c/items/1', headers: acme })
    const media = await call(h.app, { url: '/v1/collections/c/items/1/media', headers: beta })
    expect([media.statusCode, media.body]).toEqual([200, 'the same'])
  })
})

describe('rate limits', () => {
  const get = (headers = {}) => call(h.app, { url: '/v1/models', headers })

  it('refuses a key what is over its burst with the time to wait, and no other key', async () => {
    h = await startHarness({ rateLimit: 30 })
    const { id: _, ...one } = await makeKey()
    const { id: __, ...two } = await makeKey()
    for (let left = 9; left >= 0; left--) {
      const response = await get(one)
      expect([response.statusCode, response.headers['ratelimit-remaining']]).toEqual([200, String(left)])
    }
    const refused = await get(one)
    expect([refused.statusCode, refused.json().code]).toEqual([429, 'rate-limited'])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(15)
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(20)
    expect((await get(two)).statusCode).toBe(200)
    expect((await call(h.app, { url: '/livez', headers: one })).statusCode).toBe(200)
  })

  it('says after how long to try again, whoever refuses', () => {
    const retryAfter = (error: unknown) => problemOf(error, { id: '1', path: '/' }).headers['retry-after']
    expect(retryAfter(new DomainError('rate-limited', 'Wait.', { retryAfterS: 7 }))).toBe('7')
    expect(retryAfter(new HttpProblem('rate-limited', 'Wait.', { headers: { 'retry-after': '9' } }))).toBe('9')
    expect(retryAfter(new HttpProblem('rate-limited', 'Wait.'))).toBe('1')
  })

  it('counts by the address that a trusted proxy names, and believes nobody else', async () => {
    const statuses = async (remoteAddress: string) => {
      const send = (n: number) =>
        call(h.app, { url: '/v1/models', remoteAddress, headers: { 'x-forwarded-for': `203.0.113.${n}` } })
      return new Set((await Promise.all(Array.from({ length: 12 }, (_, n) => send(n)))).map((each) => each.statusCode))
    }
    h = await startHarness({ rateLimit: 60, trustedProxies: ['127.0.0.0/8'] })
    expect(await statuses('127.0.0.1')).toEqual(new Set([200]))
    expect(await statuses('192.0.2.7')).toEqual(new Set([200, 429]))
  })

  it('counts by address where no key is asked for, if a limit was given', async () => {
    h = await startHarness({ rateLimit: 60 })
    for (let i = 0; i < 10; i++) expect((await get()).statusCode).toBe(200)
    expect((await get()).statusCode).toBe(429)
    const elsewhere = await h.app.inject({ url: '/v1/models', remoteAddress: '192.0.2.1' })
    expect(elsewhere.statusCode).toBe(200)
  })

  it('sets none without keys, 100 at once with a key, and none if told 0', async () => {
    h = await startHarness()
    expect((await get()).headers).not.toHaveProperty('ratelimit-limit')
    const { id: _, ...key } = await makeKey()
    expect((await get(key)).headers['ratelimit-limit']).toBe('100')
    await h.close()
    h = await startHarness({ rateLimit: 0 })
    const { id: __, ...other } = await makeKey()
    expect((await get(other)).headers).not.toHaveProperty('ratelimit-limit')
  })
})
