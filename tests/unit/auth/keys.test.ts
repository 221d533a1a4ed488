import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { changeKeys, keyFileOf, readKeys } from '../../../src/auth/key-file.ts'
import { KeyRing } from '../../../src/auth/key-ring.ts'
import { newKey } from '../../../src/auth/keys.ts'
import { openDataDir } from '../../../src/commands/data-dir.ts'
import { createKey, listKeys, revokeKey } from '../../../src/commands/keys.ts'

let dir: string
let path: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-keys-'))
  path = keyFileOf(dir)
})
afterEach(async () => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  await rm(dir, { recursive: true })
})

const add = async (tenant = 'acme') => {
  const { key, record } = newKey({ tenant, scopes: ['read'] })
  await changeKeys(path, (keys) => [...keys, record])
  return { key, record }
}

it('makes keys of 256 bits that no two share, with scopes in one order', () => {
  const { key, record } = newKey({ tenant: 'acme', scopes: ['admin', 'read'], label: 'Ann' })
  expect(key).toMatch(/^op_[\w-]{43}$/)
  expect(newKey({ tenant: 'acme', scopes: ['read'] }).key).not.toBe(key)
  expect(record).toMatchObject({ tenant: 'acme', scopes: ['read', 'admin'], label: 'Ann' })
})

it.each([
  [{ tenant: 'Acme', scopes: ['read'] }, "'Acme' is not"],
  [{ tenant: 'a.b', scopes: ['read'] }, "'a.b' is not"],
  [{ tenant: '-a', scopes: ['read'] }, "'-a' is not"],
  [{ tenant: 'a'.repeat(33), scopes: ['read'] }, 'is not'],
  [{ tenant: 'a', scopes: ['read', 'delete'] }, "'delete' is none"],
  [{ tenant: 'a', scopes: [] }, 'Scopes are read, write, admin'],
  [{ tenant: 'a', scopes: ['read'], label: 'a\u001b[2J' }, 'printable'],
])('refuses %j with a sentence', (request, sentence) => {
  expect(() => newKey(request)).toThrow(sentence)
})

it('keeps hashes, not keys, in a file for its owner alone, and leaves no draft', async () => {
  const { key, record } = await add()
  const text = await readFile(path, 'utf8')
  expect(text).not.toContain(key.slice(3))
  expect(JSON.parse(text).keys[0].created_at).toBe(record.createdAt)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readdir(dir)).toEqual(['keys.json'])
  expect(await readKeys(path)).toEqual([record])
})

it('loses no key when two processes change the list: the second is told to try again', async () => {
  await writeFile(`${path}.new`, '')
  await expect(add()).rejects.toThrow('Another process is changing')
  await rm(`${path}.new`)
  await add()
  const failing = changeKeys(path, () => {
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(await readKeys(path)).toHaveLength(1)
  await add()
  expect(await readKeys(path)).toHaveLength(2)
})

it.each(['', '{', '{"version":2,"keys":[]}', '{"version":1}', '{"version":1,"keys":[{"id":"a"}]}', '[]', 'null'])(
  'lets nobody in by a damaged file: %j',
  async (text) => {
    await writeFile(path, text)
    await expect(readKeys(path)).rejects.toThrow('is not a list of keys')
    await expect(KeyRing.open(dir)).rejects.toThrow('is not a list of keys')
  },
)

it('finds a key by its whole text, and no other', async () => {
  const [one, two] = [await add('a'), await add('b')]
  const ring = await KeyRing.open(dir)
  expect(await ring.find(one.key)).toEqual(one.record)
  expect(await ring.find(two.key)).toEqual(two.record)
  for (const wrong of ['', 'op_', one.key.slice(0, -1), `${one.key}A`, one.record.sha256]) {
    expect(await ring.find(wrong)).toBeUndefined()
  }
})

it('notices a key made, revoked or damaged after a second, and looks no more often', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const ring = await KeyRing.open(dir)
  expect(await ring.hasKeys()).toBe(false)
  const { key } = await add()
  expect(await ring.find(key)).toBeUndefined()
  vi.advanceTimersByTime(1000)
  expect(await ring.find(key)).toBeDefined()
  await changeKeys(path, () => [])
  vi.advanceTimersByTime(999)
  expect(await ring.find(key)).toBeDefined()
  vi.advanceTimersByTime(1)
  expect(await ring.find(key)).toBeUndefined()
  expect(await ring.hasKeys()).toBe(true)
  await writeFile(path, '{')
  vi.advanceTimersByTime(1000)
  await expect(ring.find(key)).rejects.toThrow('is not a list of keys')
  await rm(path)
  vi.advanceTimersByTime(1000)
  expect(await ring.hasKeys()).toBe(false)
})

it('takes keys from another file, which has to be there, or from a text', async () => {
  const elsewhere = join(dir, 'secret.json')
  await expect(KeyRing.ofFile(elsewhere)).rejects.toThrow('There is no file of keys')
  const { key, record } = await add()
  const text = await readFile(path, 'utf8')
  await writeFile(elsewhere, text)
  const ring = await KeyRing.ofFile(elsewhere, 0)
  expect(await ring.find(key)).toEqual(record)
  await rm(elsewhere)
  await expect(ring.hasKeys()).rejects.toThrow('There is no file of keys')
  const fixed = await KeyRing.ofText(text)
  expect([await fixed.find(key), await fixed.hasKeys()]).toEqual([record, true])
  await expect((async () => KeyRing.ofText('{'))()).rejects.toThrow('ONEPEACE_KEYS is not a list of keys')
})

it('makes, lists and revokes keys by command, while the data folder is in use', async () => {
  const out = vi.spyOn(console, 'log').mockImplementation(() => {})
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  const data = await openDataDir(dir)
  await createKey({ data: dir, tenant: 'acme', scopes: 'write, read', name: 'Ann' })
  const key = String(out.mock.calls[0]![0])
  expect(key).toMatch(/^op_/)
  expect(out.mock.calls).toHaveLength(1)
  await listKeys({ data: dir })
  const line = String(out.mock.calls[1]![0])
  expect(line).toMatch(/^[\da-f]{12}\tacme\tread,write\t.*Z\tAnn$/)
  expect(line).not.toContain(key)
  await expect(revokeKey('nobody', { data: dir })).rejects.toThrow("There is no key 'nobody'")
  await revokeKey(line.split('\t')[0]!, { data: dir })
  expect(String(told.mock.calls.at(-1)![0])).toContain('nobody is let in now')
  await data.release()
})

it('makes a key before the first start, and the folder is then taken by the service', async () => {
  vi.spyOn(console, 'log').mockImplementation(() => {})
  vi.spyOn(console, 'error').mockImplementation(() => {})
  const data = join(dir, 'fresh')
  await createKey({ data, tenant: 'default', scopes: 'read' })
  await (await openDataDir(data)).release()
  await writeFile(join(dir, 'letter.txt'), '')
  await expect(createKey({ data: dir, tenant: 'default', scopes: 'read' })).rejects.toThrow('holds other files')
})
