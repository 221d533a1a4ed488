import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@lancedb/lancedb'
import { Schema } from 'apache-arrow'
import { expect, it } from 'vitest'
import { LanceVectorStore } from '../../src/vectors/lancedb.ts'
import { migrate } from '../../src/vectors/migrations/migrate.ts'
import { rowsOf, schemaOf } from '../../src/vectors/rows.ts'
import { filterContract } from './filters.ts'
import { maintenanceContract } from './maintenance.ts'
import { textItem, unit, vectorStoreContract } from './vector-store.ts'

const harness = async () => {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-lance-'))
  return {
    open: async () => new LanceVectorStore(join(dir, 'vectors')),
    dispose: () => rm(dir, { recursive: true, force: true }),
  }
}

vectorStoreContract('LanceVectorStore', harness)
filterContract('LanceVectorStore', harness)
maintenanceContract('LanceVectorStore', harness)

it('gives a table from before filters what they need, and loses nothing of it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-old-'))
  const description = { name: 'old', embedDim: 4, model: 'fake', metadata: { kept: true }, createdAt: '' }
  const { fields, metadata } = schemaOf(description)
  const before = new Schema(
    fields.filter(({ name }) => name !== 'facts'),
    metadata,
  )
  const connection = await connect(dir)
  const rows = [1, 2].flatMap((n) => rowsOf(textItem(`i${n}`, unit(1, n, 0, 0), { metadata: { n } })))
  const table = await connection.createEmptyTable('old', before)
  await table.add(rows.map(({ facts: _, ...row }) => row))
  await connection.createEmptyTable('empty', before)
  const hasty = new LanceVectorStore(dir)
  await expect(hasty.getCollection('old')).rejects.toThrow('onepeace migrate apply')
  await hasty.close()
  for (let opening = 0; opening < 2; opening++) {
    const store = new LanceVectorStore(dir)
    expect(await applied(store)).toEqual(opening === 0 ? ['0001-facts empty', '0001-facts old'] : [])
    expect(await store.getCollection('old')).toEqual({ ...description, itemCount: 2 })
    const found = await store.listItems('old', { limit: 9, filter: { must: [{ key: 'n', match: { value: 2 } }] } })
    expect(found.map(({ id, payload }) => [id, payload])).toEqual([['i2', { metadata: { n: 2 } }]])
    expect((await store.getVectors('old', 'i2'))?.[0]).toEqual(unit(1, 2, 0, 0))
    expect((await store.getCollection('empty'))?.itemCount).toBe(0)
    await store.close()
  }
  await rm(dir, { recursive: true, force: true })
})

it('marks the keys of several numbers in tables from before there were marks, which ranges then find', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-old-'))
  const { fields, metadata } = schemaOf({ name: 'old', embedDim: 4, model: 'fake', metadata: {}, createdAt: '' })
  const unversioned = new Map([...metadata].filter(([key]) => !key.endsWith('.facts')))
  const connection = await connect(dir)
  const table = await connection.createEmptyTable('old', new Schema(fields, unversioned))
  const rows = [[1], [0, 10]].flatMap((n, i) => rowsOf(textItem(`i${i}`, unit(1, i, 0, 0), { metadata: { n } })))
  await table.add(rows.map((row) => ({ ...row, facts: String(row.facts).replace('m:"n"\u0001', '') })))
  const store = new LanceVectorStore(dir)
  expect(await applied(store)).toEqual(['0004-many-numbers old'])
  const found = await store.listItems('old', { limit: 9, filter: { must: [{ key: 'n', range: { gt: 9 } }] } })
  expect(found.map(({ id }) => id)).toEqual(['i1'])
  await store.close()
  const newer = new Map([...unversioned, ['onepeace.facts', '99']])
  await connection.createEmptyTable('newer', new Schema(fields, newer))
  const late = new LanceVectorStore(dir)
  await expect(late.getCollection('newer')).rejects.toThrow('a newer version left it')
  await late.close()
  await rm(dir, { recursive: true, force: true })
})

async function applied(store: LanceVectorStore): Promise<string[]> {
  const done: string[] = []
  await migrate(store, { begins: ({ id }, collection) => done.push(`${id} ${collection}`) })
  return done
}
