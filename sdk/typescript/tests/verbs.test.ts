/** Every verb of the client against a live service. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LiveServer, startServer } from '../../../tests/live-server.ts'
import { samplePicture, sampleSound, writeSampleMedia } from '../../../tests/sample-media.ts'
import { type NewItem, OnepeaceClient, ProblemError } from '../src/index.ts'
import { fileAt } from '../src/node.ts'

let server: LiveServer
let client: OnepeaceClient
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-sdk-'))
  await writeSampleMedia(dir)
  server = await startServer()
  client = new OnepeaceClient({ url: server.url })
})
afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

const bytesOf = async (blob: Blob) => Buffer.from(await blob.arrayBuffer())
const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
const gathered = async <T>(source: AsyncIterable<T>) => {
  const all: T[] = []
  for await (const each of source) all.push(each)
  return all
}

it('sends a file ahead, and uses it wherever content goes', async () => {
  const bytes = await samplePicture('pizza')
  const ahead = await client.upload(bytes, { mediaType: 'image/png' })
  const typed = await client.upload(new Blob([new Uint8Array(bytes)], { type: 'image/png' }))
  const { data } = await client.embed([ahead, typed, bytes, { content: [{ ...ahead, weight: 2 }] }])
  for (const { embedding } of data) expect(embedding).toEqual(data[0]!.embedding)
  await expect(client.upload(bytes)).rejects.toThrow('Say what the file is')
  await expect(client.upload(bytes, { mediaType: 'text/html' })).rejects.toThrow(ProblemError)
})

it('gives one vector for a text and one each for a list, equal to what the contract answers as numbers', async () => {
  const { data, model, usage } = await client.embed('a dog')
  const { data: plain } = await client.api.POST('/v1/embeddings', { body: { input: 'a dog' } })
  expect(data).toHaveLength(1)
  expect(data[0]!.embedding).toEqual((plain as { data: { embedding: unknown }[] }).data[0]!.embedding)
  expect(usage.total_tokens).toBeGreaterThan(1)
  expect((await client.models()).data[0]!.id).toBe(model)
  expect((await client.embed(['a dog', 'a cat'])).data.map(({ index }) => index)).toEqual([0, 1])
})

it('takes the same picture as path, Blob, bytes, stream of the web, stream of Node and part of the contract', async () => {
  const bytes = await samplePicture('pizza')
  async function* chunks() {
    for (let i = 0; i < bytes.length; i += 1000) yield bytes.subarray(i, i + 1000)
  }
  const same = [
    await fileAt(join(dir, 'pizza.png')),
    new Blob([new Uint8Array(bytes)]),
    bytes,
    new Uint8Array(bytes).buffer,
    new Blob([new Uint8Array(bytes)]).stream(),
    chunks(),
  ]
  const { data } = await client.embed(same)
  const url = `data:image/png;base64,${bytes.toString('base64')}`
  const { data: parts } = await client.embed([{ type: 'image_url', image_url: { url } }, bytes, 'pizza'])
  for (const each of [...data, ...parts.slice(0, 2)]) {
    expect(each.modality).toBe('image')
    expect(each.embedding).toEqual(data[0]!.embedding)
  }
  expect(parts[2]!.modality).toBe('text')
})

it('fuses weighted parts, files among them, into one vector', async () => {
  const sound = sampleSound('helicopter')
  const [text, heard] = (await client.embed(['at night', sound])).data.map(({ embedding }) => embedding)
  const fused = await client.embed({
    content: [
      { type: 'text', text: 'at night' },
      { type: 'file', file: sound, weight: 0.5 },
    ],
  })
  expect(fused.data[0]!.modality).toBe('mixed')
  const sum = text!.map((value, i) => value + 0.5 * heard![i]!)
  const norm = Math.hypot(...sum)
  expect(
    dot(
      fused.data[0]!.embedding,
      sum.map((value) => value / norm),
    ),
  ).toBeCloseTo(1, 4)
})

it('compares contents in rows and columns', async () => {
  const picture = await fileAt(join(dir, 'pizza.png'))
  const { scores } = await client.similarity([picture, 'pizza'], ['pizza', 'a helicopter', picture])
  expect(scores).toHaveLength(2)
  expect(scores[0]!).toHaveLength(3)
  expect(scores[0]![2]).toBeCloseTo(1, 4)
  expect(scores[0]![0]!).toBeGreaterThan(scores[0]![1]!)
})

it('classifies by words and by a head', async () => {
  const sound = await fileAt(join(dir, 'rain.wav'))
  const { results } = await client.classify(sound, { labels: ['a helicopter', 'rain'], template: 'the sound of {}' })
  expect(results[0]!.label).toBe('rain')
  const { head } = await client.classify(sound, { head: 'sound-class' })
  expect(head).toBe('sound-class')
})

it('tells what each part of a picture is', async () => {
  const { map, classes, head } = await client.segment(await samplePicture('dog'))
  expect(head).toBe('segmentation')
  const places = map.runs.reduce((sum, [, length]) => sum + length!, 0)
  expect(places).toBe(map.width * map.height)
  expect(classes.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6)
})

it('tells typed problems: what the model cannot do, what is not there, what is taken, which input failed', async () => {
  const picture = await samplePicture('dog')
  const problem = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error: unknown) => error)
  const narrow = client.embed(picture, { dimensions: 7 })
  expect(await problem(narrow)).toMatchObject({ code: 'unsupported-by-model', status: 422 })
  expect(await problem(client.ask(picture, 'What?', { head: 'none' }))).toMatchObject({ code: 'not-found' })
  const missing = await problem(client.collections.get('missing'))
  expect(missing).toBeInstanceOf(ProblemError)
  expect(missing).toMatchObject({ code: 'not-found', requestId: expect.stringMatching(/./), name: 'ProblemError' })
  expect(await problem(client.embed(['fine', Buffer.from('no picture')]))).toMatchObject({
    code: 'unsupported-media-type',
    index: 1,
  })
  const wrong = (await problem(client.search('missing', 'x', { limit: 0 }))) as ProblemError
  expect(wrong.errors).toEqual([{ pointer: '/limit', detail: expect.stringContaining('>= 1') }])
})

it('makes, lists, shows and deletes collections', async () => {
  expect(await client.collections.create('shelf', { metadata: { owner: 'ada' } })).toMatchObject({ items: 0 })
  await expect(client.collections.create('shelf')).rejects.toMatchObject({ code: 'conflict' })
  expect((await client.collections.list()).map(({ name }) => name)).toContain('shelf')
  expect((await client.collections.get('shelf')).metadata).toEqual({ owner: 'ada' })
  await client.collections.delete('shelf')
  await expect(client.collections.delete('shelf')).rejects.toMatchObject({ code: 'not-found' })
})

it('keeps items, finds them by words, sounds, pictures, mixtures and each other, and gives their bytes back', async () => {
  await client.collections.create('mine')
  const picture = await fileAt(join(dir, 'pizza.png'))
  const metadata = { year: 2026, tags: ['food'] }
  expect(await client.items.add('mine', picture, { id: 'a/b', metadata })).toMatchObject({ id: 'a/b', metadata })
  await client.items.put('mine', 'heli', await fileAt(join(dir, 'helicopter.wav')))
  await client.items.put('mine', 'heli', await fileAt(join(dir, 'helicopter.wav')), { metadata: { loud: true } })
  await client.items.add('mine', 'a dog on the beach', { id: 'note' })

  const first = async (...args: Parameters<typeof client.search>) => (await client.search(...args)).hits[0]!.id
  expect(await first('mine', 'pizza', { modalities: ['image'], limit: 1 })).toBe('a/b')
  expect(await first('mine', sampleSound('helicopter'))).toBe('heli')
  expect(await first('mine', picture, { filter: { must: [{ key: 'year', range: { gte: 2020 } }] } })).toBe('a/b')
  expect(await first('mine', { item_id: 'a/b' }, { modalities: ['audio'] })).toBe('heli')
  const mixture = { content: [{ type: 'file' as const, file: picture, weight: -1 }, textPart('a dog')] }
  expect(await first('mine', mixture)).toBe('note')

  expect(await client.items.get('mine', 'heli')).toMatchObject({ modality: 'audio', metadata: { loud: true } })
  const original = await client.items.media('mine', 'a/b')
  expect(original.type).toBe('image/png')
  expect(await bytesOf(original)).toEqual(await bytesOf(picture))
  expect((await client.items.thumbnail('mine', 'a/b', { size: 32 })).type).toBe('image/webp')
  await client.items.delete('mine', 'note')
  await expect(client.items.get('mine', 'note')).rejects.toMatchObject({ code: 'not-found' })
})

it('writes once under one key, however often it is sent', async () => {
  await client.collections.create('once')
  const add = () => client.items.add('once', 'a dog', {}, { idempotencyKey: 'add-1' })
  expect(await add()).toEqual(await add())
  const batch = () => gathered(client.items.batch('once', [{ input: 'a cat' }], { idempotencyKey: 'batch-1' }))
  expect(await batch()).toEqual(await batch())
  expect((await client.collections.get('once')).items).toBe(2)
  const other = client.items.add('once', 'a cow', {}, { idempotencyKey: 'add-1' })
  await expect(other).rejects.toMatchObject({ code: 'idempotency-key-reused' })
})

it('adds many items as an iterator gives them, results in order, a bad one failing alone; lists them page by page', async () => {
  await client.collections.create('many')
  let given = 0
  async function* items(): AsyncGenerator<NewItem> {
    for (; given < 70; given++) {
      if (given === 60) yield { id: 'item-000', input: 'this id is taken' }
      const metadata = { even: given % 2 === 0 }
      yield { id: `item-${String(given).padStart(3, '0')}`, input: `word ${given}`, metadata }
    }
    yield { id: 'picture', input: await samplePicture('dog') }
    yield { id: 'sound', input: sampleSound('rain') }
  }
  let givenAtFirst: number | undefined
  const results = []
  for await (const result of client.items.batch('many', items())) {
    givenAtFirst ??= given
    results.push(result)
  }
  expect(givenAtFirst).toBeLessThan(70)
  expect(results.map(({ index }) => index)).toEqual(Array.from({ length: 73 }, (_, i) => i))
  expect(results.filter(({ status }) => status !== 201)).toEqual([
    { index: 60, status: 409, error: expect.objectContaining({ code: 'conflict' }) },
  ])
  expect(results.at(-1)!.item!.modality).toBe('audio')

  const all = await gathered(client.items.list('many', { pageSize: 20 }))
  expect(all).toHaveLength(72)
  const filter = { must: [{ key: 'even', match: { value: true } }] }
  expect(await gathered(client.items.list('many', { filter, pageSize: 20 }))).toHaveLength(35)
  for await (const { id } of client.items.list('many', { pageSize: 1 })) {
    expect(id).toBe('item-000')
    break
  }
})

it('gives a request up when its signal says so, or when its time is over', async () => {
  const controller = new AbortController()
  controller.abort(new Error('enough'))
  await expect(client.embed('a dog', {}, { signal: controller.signal })).rejects.toThrow('enough')
  const texts = Array.from({ length: 2000 }, (_, i) => `a long list of texts, of which this is number ${i}`)
  await expect(client.embed(texts, {}, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'deadline-exceeded' })
  const late = new AbortController()
  const given = client.embed(texts, {}, { signal: late.signal })
  setTimeout(() => late.abort(new Error('no more')), 50)
  await expect(given).rejects.toThrow('no more')
})

function textPart(text: string, weight?: number) {
  return { type: 'text' as const, text, ...(weight !== undefined && { weight }) }
}

const dog = () => fileAt(join(dir, 'dog.png'))

it('has many things kept by a job, tells how far it is, which lines failed, and lists it', async () => {
  const name = 'imported'
  await client.collections.create(name)
  const items = [
    { id: 'one', input: 'a dog' },
    { id: 'one', input: 'again' },
    { input: await dog(), metadata: { n: 3 } },
  ]
  const { id } = await client.jobs.import(name, items)
  const seen: string[] = []
  const job = await client.jobs.wait(id, { everyMs: 50, onProgress: ({ state }) => seen.push(state) })
  expect(job).toMatchObject({ state: 'completed', counts: { total: 3, succeeded: 2, failed: 1 } })
  expect(seen.at(-1)).toBe('completed')
  expect((await gathered(client.jobs.errors(id))).map(({ error }) => error.code)).toEqual(['conflict'])
  expect((await gathered(client.jobs.list())).map((each) => each.id)).toContain(id)
  const lines = new Blob(['{"input": "from a file"}\n'])
  const { id: second } = await client.jobs.import(name, lines, { idempotencyKey: 'blob' })
  expect((await client.jobs.import(name, lines, { idempotencyKey: 'blob' })).id).toBe(second)
  expect((await client.jobs.wait(second, { everyMs: 50 })).counts.succeeded).toBe(1)
  expect((await client.jobs.cancel(second)).state).toBe('completed')
})

it('asks without waiting, and reads the answer from the job', async () => {
  const asked = await client.jobs.embed(['a dog', await dog()])
  const { result } = await client.jobs.wait(asked.id, { everyMs: 50 })
  const { data } = await client.embed(['a dog', await dog()])
  expect((result as { data: { embedding: number[] }[] }).data[0]!.embedding).toEqual(data[0]!.embedding)
  await client.collections.create('later')
  const { id } = await client.jobs.add('later', await dog(), { id: 'p' })
  expect((await client.jobs.wait(id, { everyMs: 50 })).result).toEqual(await client.items.get('later', 'p'))
})
