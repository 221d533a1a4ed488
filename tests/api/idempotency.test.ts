import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { changeKeys, keyFileOf } from '../../src/auth/key-file.ts'
import { newKey } from '../../src/auth/keys.ts'
import { DomainError } from '../../src/errors.ts'
import { WriteJournal } from '../../src/journal/write-journal.ts'
import { FolderObjects } from '../../src/objects/folder-objects.ts'
import { type Attempt, WriteOnce } from '../../src/services/write-once.ts'
import { call } from './conforms.ts'
import { form, type Harness, startHarness, wav } from './harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
  await call(h.app, { method: 'POST', url: '/v1/collections', payload: { name: 'c' } })
})
afterEach(() => h.close())

const ITEMS = '/v1/collections/c/items'
const post = (url: string, payload: object, key?: string, more = {}) =>
  call(h.app, { method: 'POST', url, payload, headers: { ...(key && { 'idempotency-key': key }), ...more } })
const count = async () => (await call(h.app, { url: ITEMS })).json().items.length

describe('Idempotency-Key', () => {
  it('answers a repeated request as the first time, and writes once', async () => {
    const first = await post(ITEMS, { input: 'a dog', metadata: { n: 1 } }, 'key-1')
    const second = await post(ITEMS, { input: 'a dog', metadata: { n: 1 } }, 'key-1')
    expect([first.statusCode, second.statusCode]).toEqual([201, 201])
    expect(second.body).toBe(first.body)
    expect(second.headers.location).toBe(first.headers.location)
    expect(first.headers['idempotent-replayed']).toBeUndefined()
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(await count()).toBe(1)
    await post(ITEMS, { input: 'a dog', metadata: { n: 1 } })
    expect(await count()).toBe(2)
  })

  it('still knows the answer after a restart, and when the item is gone', async () => {
    const first = await post(ITEMS, { id: 'x', input: 'a dog' }, 'key-1')
    await call(h.app, { method: 'DELETE', url: `${ITEMS}/x` })
    const again = await startHarness({ dir: h.dir })
    const headers = { 'idempotency-key': 'key-1' }
    const second = await call(again.app, { method: 'POST', url: ITEMS, payload: { id: 'x', input: 'a dog' }, headers })
    expect(second.body).toBe(first.body)
    expect((await call(again.app, { url: ITEMS })).json().items).toEqual([])
    await again.close()
  })

  it('refuses a key with another body, path or kind of body', async () => {
    await post(ITEMS, { input: 'a dog' }, 'key-1')
    const asForm = await form([['text', 'a dog']])
    const headers = { ...asForm.headers, 'idempotency-key': 'key-1' }
    const others = [
      await post(ITEMS, { input: 'a cat' }, 'key-1'),
      await post(ITEMS, { id: 'other', input: 'a dog' }, 'key-1'),
      await post('/v1/collections', { name: 'd' }, 'key-1'),
      await call(h.app, { method: 'POST', url: ITEMS, payload: asForm.payload, headers }),
    ]
    const codes = others.map((each) => [each.statusCode, each.json().code])
    expect(codes).toEqual(Array(4).fill([422, 'idempotency-key-reused']))
    expect(await count()).toBe(1)
  })

  it('knows a form by its parts, whatever its boundary', async () => {
    const send = async (hz: number) => {
      const { payload, headers } = await form([['file', wav(1, hz)]])
      return call(h.app, { method: 'POST', url: ITEMS, payload, headers: { ...headers, 'idempotency-key': 'k' } })
    }
    const first = await send(440)
    expect((await send(440)).body).toBe(first.body)
    expect((await send(880)).json().code).toBe('idempotency-key-reused')
  })

  it('makes a collection once', async () => {
    const first = await post('/v1/collections', { name: 'd' }, 'key-1')
    await post('/v1/collections/d/items', { input: 'a dog' })
    const second = await post('/v1/collections', { name: 'd' }, 'key-1')
    expect([second.statusCode, second.body]).toEqual([201, first.body])
    expect((await post('/v1/collections', { name: 'd' }, 'key-2')).statusCode).toBe(409)
  })

  it('has requests of one key sent at once wait for the first', async () => {
    h.encoder.delayMs = 30
    const all = await Promise.all(Array.from({ length: 5 }, () => post(ITEMS, { input: 'a dog' }, 'key-1')))
    expect(new Set(all.map((each) => each.body)).size).toBe(1)
    expect(h.encoder.seen).toHaveLength(1)
    expect(await count()).toBe(1)
  })

  it('forgets a refusal, so that the key can be used when the cause is mended', async () => {
    const refused = await post('/v1/collections/none/items', { input: 'a dog' }, 'key-1')
    expect(refused.statusCode).toBe(404)
    await post('/v1/collections', { name: 'none' })
    expect((await post('/v1/collections/none/items', { input: 'a dog' }, 'key-1')).statusCode).toBe(201)
  })

  it('takes each line of a batch for itself: a batch sent again goes on where it broke off', async () => {
    const send = (...lines: object[]) => {
      const payload = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
      const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': 'key-1' }
      return call(h.app, { method: 'POST', url: `${ITEMS}/batch`, payload, headers })
    }
    const first = await send({ input: 'one' }, { input: 'two' })
    const second = await send({ input: 'one' }, { input: 'two' }, { input: 'three' })
    expect(second.body.startsWith(first.body)).toBe(true)
    expect(await count()).toBe(3)
    const third = (await send({ input: 'one' }, { input: 'other' })).body.trim().split('\n')
    const told = third.map((line) => JSON.parse(line)).map(({ status, error }) => [status, error?.code])
    expect(told).toEqual([
      [201, undefined],
      [422, 'idempotency-key-reused'],
    ])
  })

  it('keeps the keys of tenants apart', async () => {
    const made = ['one', 'two'].map((tenant) => newKey({ tenant, scopes: ['read', 'write', 'admin'] }))
    await changeKeys(keyFileOf(h.dir), () => made.map(({ record }) => record))
    for (const [n, { key }] of made.entries()) {
      const authorization = `Bearer ${key}`
      expect((await post('/v1/collections', { name: `c${n}` }, 'same', { authorization })).statusCode).toBe(201)
    }
  })

  it('refuses a key that is no plain text', async () => {
    expect((await post(ITEMS, { input: 'a' }, 'a key')).statusCode).toBe(400)
    expect((await post(ITEMS, { input: 'a' }, 'a'.repeat(256))).statusCode).toBe(400)
  })
})

describe('a write under a key', () => {
  let dir: string
  let journal: WriteJournal
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'onepeace-journal-'))
    journal = new WriteJournal(new FolderObjects(dir))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  const key = { tenant: 't', key: 'k', request: 'r' }

  it('is repeated with the id and time of the attempt that got no answer', async () => {
    const attempts: Attempt[] = []
    const die = (attempt: Attempt) => {
      attempts.push(attempt)
      throw new DomainError('vector-store-unavailable', 'gone')
    }
    await expect(new WriteOnce(journal).run(key, die as never)).rejects.toThrow('gone')
    const { answer, isReplay } = await new WriteOnce(journal).run(key, async (attempt) => {
      attempts.push(attempt)
      return 'done'
    })
    expect([answer, isReplay]).toEqual(['done', false])
    expect(attempts[1]).toEqual({ ...attempts[0], isRepeat: true })
    expect(attempts[0]!.isRepeat).toBe(false)
    const replay = await new WriteOnce(journal).run(key, () => Promise.reject(new Error('must not run')))
    expect(replay).toEqual({ answer: 'done', isReplay: true })
  })

  it('is one write for two processes that are at it at once', async () => {
    const items = new Map<string, string>()
    const write = async ({ id, createdAt }: Attempt) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (!items.has(id)) items.set(id, createdAt)
      return { id, createdAt: items.get(id) }
    }
    for (let n = 0; n < 10; n++) {
      const each = { ...key, key: `k${n}` }
      const answers = await Promise.all([0, 1, 2].map(() => new WriteOnce(journal).run(each, write)))
      expect(new Set(answers.map(({ answer }) => JSON.stringify(answer))).size).toBe(1)
    }
    expect(items.size).toBe(10)
  })

  it('is forgotten a day after it was done', async () => {
    const once = new WriteOnce(journal)
    await once.run(key, async () => 'first')
    await once.sweep()
    expect((await once.run(key, async () => 'second')).answer).toBe('first')
    const [name] = (await readdir(dir, { recursive: true })).filter((each) => each.length > 60)
    const dayAgo = Date.now() / 1000 - 24 * 3600 - 1
    await utimes(join(dir, name!), dayAgo, dayAgo)
    await once.sweep()
    expect((await once.run(key, async () => 'second')).answer).toBe('second')
  })
})
