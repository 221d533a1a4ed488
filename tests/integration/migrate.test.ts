/** `onepeace migrate` on a data folder that an earlier version left: what it says, and that a death half way costs nothing. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect } from '@lancedb/lancedb'
import { Schema } from 'apache-arrow'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDataDir } from '../../src/commands/data-dir.ts'
import { LanceVectorStore } from '../../src/vectors/lancedb.ts'
import { rowsOf, schemaOf } from '../../src/vectors/rows.ts'
import { PROGRAM } from '../command-line.ts'
import { textItem, unit } from '../contract/vector-store.ts'

const ROWS = 40_000
let dir: string
let vectorsDir: string
const started: ChildProcess[] = []

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-migrate-'))
  const data = await openDataDir(dir)
  vectorsDir = data.vectorsDir
  const { fields, metadata } = schemaOf({ name: 'old', embedDim: 4, model: 'fake', metadata: {}, createdAt: '' })
  const connection = await connect(vectorsDir)
  const before = fields.filter(({ name }) => name !== 'facts')
  const table = await connection.createEmptyTable('old', new Schema(before, metadata))
  const item = (n: number) => textItem(`i${n}`, unit(1, n, 0, 0), { metadata: { n } })
  await table.add(Array.from({ length: ROWS }, (_, n) => rowsOf(item(n)).map(({ facts: _, ...row }) => row)).flat())
  connection.close()
  await data.release()
})
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

function migrate(command: string): ChildProcess {
  const args = [PROGRAM, 'migrate', command, '--data', dir]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  return child
}

async function said(child: ChildProcess): Promise<{ out: string; error: string; code: unknown }> {
  const [out, error, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'exit')])
  return { out, error, code }
}

it('plans, dies half way, applies, and has nothing left to do; of two at once one is told who is there', async () => {
  expect(await said(migrate('plan'))).toMatchObject({ out: expect.stringMatching(/^0001-facts\told\t/), code: 0 })
  expect((await said(migrate('status'))).out).toMatch(/^0001-facts\tpending for 1 collections\t/)

  const first = migrate('apply')
  const died = once(first, 'exit')
  const versions = () => readdir(join(vectorsDir, '.next', 'old.lance', '_versions')).catch(() => [])
  await expect.poll(async () => (await versions()).length, { timeout: 30_000, interval: 1 }).toBeGreaterThan(3)
  first.kill('SIGKILL')
  await died
  expect(await versions()).not.toEqual([]) // it was not done

  const two = await Promise.all([migrate('apply'), migrate('apply')].map(said))
  const refused = two.filter(({ code }) => code !== 0)
  expect(refused.length).toBeLessThan(2)
  for (const { error } of refused) expect(error).toContain('is in use by process')
  expect(two.map(({ error }) => error)).toContainEqual(expect.stringContaining('Every collection is up to date.'))
  expect(await said(migrate('plan'))).toMatchObject({ out: '', code: 0 })
  expect((await said(migrate('status'))).out).toMatch(/^0001-facts\tdone\t/)

  const store = new LanceVectorStore(vectorsDir)
  expect((await store.getCollection('old'))?.itemCount).toBe(ROWS)
  const filter = { must: [{ key: 'n', range: { gte: ROWS - 2 } }] }
  const found = await store.listItems('old', { limit: 9, filter })
  expect(found.map(({ id }) => id)).toEqual([`i${ROWS - 2}`, `i${ROWS - 1}`])
  expect(await store.getVectors('old', 'i7')).toEqual([unit(1, 7, 0, 0)])
  await store.close()
}, 300_000)
