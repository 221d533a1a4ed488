import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DomainError } from '../../../src/errors.ts'
import { JobRecords, type Part } from '../../../src/jobs/job-records.ts'
import { FolderObjects } from '../../../src/objects/folder-objects.ts'
import { JobService } from '../../../src/services/jobs.ts'

let dir: string
let records: JobRecords
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-jobs-'))
  records = new JobRecords(new FolderObjects(dir))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const serviceWith = (send: (messages: readonly string[]) => Promise<void> = async () => undefined) =>
  new JobService({ records, queue: { send }, tenant: 'acme', maxOpen: 5 })

it('holds no more of a source than one part, whatever its length', async () => {
  let read = 0
  const ahead: number[] = []
  const put = records.putPart.bind(records)
  let kept = 0
  records.putPart = async (source: string, part: number, lines: Part) => {
    kept += lines.lines.length
    ahead.push(read - kept)
    await put(source, part, lines)
  }
  const lines = function* () {
    for (; read < 20_000; read++) yield Buffer.from(`{"input":"${read}"}`)
  }
  const { parts, lines: count } = await serviceWith().stage(lines())
  expect([parts, count]).toEqual([157, 20_000])
  expect(Math.max(...ahead)).toBeLessThanOrEqual(1)
})

it('cuts parts by bytes as well, and keeps lines and their places', async () => {
  const long = Buffer.alloc(3 * 1024 * 1024, 'x')
  const { source, parts } = await serviceWith().stage([Buffer.from('a'), long, long, undefined, Buffer.from('b')])
  const all = await Promise.all(Array.from({ length: parts }, (_, part) => records.getPart(source, part)))
  expect(all.map((part) => [part!.firstLine, part!.lines.map(({ length }) => length)])).toEqual([
    [0, [1, long.length]],
    [2, [long.length, 1, 1]],
  ])
})

it('keeps nothing of a source that breaks off, or of a job that the queue does not take', async () => {
  const broken = function* () {
    for (let n = 0; n < 300; n++) yield Buffer.from('{}')
    throw new Error('the client has gone')
  }
  await expect(serviceWith().stage(broken())).rejects.toThrow('gone')
  const refusing = serviceWith(async () => {
    throw new DomainError('queue-unavailable', 'no answer')
  })
  const staged = await refusing.stage([Buffer.from('{}')])
  await expect(refusing.create('import', staged, { collection: 'c' })).rejects.toThrow('no answer')
  expect([await records.ids('acme'), await records.open(), [...(await records.sources())]]).toEqual([[], [], []])
})

it('sends the first parts of a job, and only then answers', async () => {
  const sent: string[] = []
  const service = serviceWith(async (messages) => void sent.push(...messages))
  const lines = Array.from({ length: 128 * 40 }, () => Buffer.from('{}'))
  const { request } = await service.create('import', await service.stage(lines), { collection: 'c' })
  expect(sent).toEqual(Array.from({ length: 32 }, (_, part) => `acme/${request.id}/${part}`))
})

it('keeps the first of two ends that cross', async () => {
  const objects = new FolderObjects(dir)
  let release = () => {}
  const late = new Promise<void>((resolve) => {
    release = resolve
  })
  const { put, create } = FolderObjects.prototype
  objects.put = (...write) => late.then(() => put.apply(objects, write))
  objects.create = (...write) => late.then(() => create.apply(objects, write))
  const jobs = serviceWith()
  const { request } = await jobs.create('import', await jobs.stage([Buffer.from('{}')]), { collection: 'c' })
  const end = { at: new Date().toISOString(), succeeded: 1, failed: 0 }
  const second = new JobRecords(objects).end(request, { ...end, state: 'completed' })
  await jobs.cancel(request.id)
  release()
  await second
  expect((await jobs.get(request.id)).state).toBe('cancelled')
})
