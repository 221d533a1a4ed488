/** Exams taken of the real app over a fake encoder: what is asked, what is made of the answers, and going on after a break. */
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OnepeaceClient } from 'onepeace-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { HeadInfo } from '../../src/encoder/encoder.ts'
import { DATA_SETS } from '../../src/eval/data-sets/catalog.ts'
import type { Exam } from '../../src/eval/data-sets/data-set.ts'
import { dot } from '../../src/eval/metrics.ts'
import type { Run } from '../../src/eval/runs/collect.ts'
import { answersNeeded, limited, takeExam } from '../../src/eval/runs/take-exam.ts'
import { WorkLog } from '../../src/eval/runs/work-log.ts'
import { type Harness, startHarness } from '../api/harness.ts'
import * as files from './data-set-files.ts'

let h: Harness
let dir: string
let client: OnepeaceClient
const logs: WorkLog[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-runs-'))
  h = await startHarness()
  client = new OnepeaceClient({ url: await h.app.listen({ host: '127.0.0.1', port: 0 }), maxRetries: 0 })
})
afterEach(async () => {
  await Promise.all(logs.splice(0).map((log) => log.close()))
  await h.close()
  await rm(dir, { recursive: true, force: true })
})

async function runOf(options: Partial<Run> = {}): Promise<Run> {
  const log = await WorkLog.open(join(dir, 'work', 'log.ndjson'))
  logs.push(log)
  return { client, log, dir, concurrency: 2, skipsBad: false, leftOut: new Map(), ...options }
}

async function examOf(name: string): Promise<Exam> {
  const dataSet = DATA_SETS.find((each) => each.name === name)!
  return (await dataSet.read(dir, dataSet.splits[0])).exam
}

/** A head of the fake model that answers what it is told. */
function giveHead(head: Partial<HeadInfo> & Pick<HeadInfo, 'task' | 'inputs' | 'classes'>, answer: () => object): void {
  h.encoder.heads = [{ name: 'tuned', ...head } as HeadInfo]
  h.encoder.answer = answer as never
}

describe('retrieval', () => {
  it('counts whether one of the texts of a picture is among the first, and whether its picture is', async () => {
    await files.writeCoco(dir)
    const exam = await examOf('coco')
    const rows = await takeExam(exam, await runOf())
    if (exam.task !== 'retrieval') throw new Error('COCO is retrieval')
    const { data } = await client.embed([
      ...(await Promise.all(exam.media.map(async (path) => new Uint8Array(await readFile(path))))),
      ...exam.texts.map(({ text }) => text),
    ])
    const vectors = data.map(({ embedding }) => Float32Array.from(embedding))
    const [media, texts] = [vectors.slice(0, 3), vectors.slice(3)]
    const best = (query: Float32Array, among: Float32Array[]) => {
      const scores = among.map((each) => dot(query, each))
      return scores.indexOf(Math.max(...scores))
    }
    const byPicture = media.filter((picture, i) => exam.texts[best(picture, texts)]!.of === i).length
    const byText = texts.filter((text, j) => best(text, media) === exam.texts[j]!.of).length
    expect(rows.map(({ task, measure, trials }) => [task, measure, trials])).toEqual([
      ['image → text', 'R@1', 3],
      ['image → text', 'R@5', 3],
      ['image → text', 'R@10', 3],
      ['text → image', 'R@1', 5],
      ['text → image', 'R@5', 5],
      ['text → image', 'R@10', 5],
    ])
    expect(rows[0]!.value).toBeCloseTo(byPicture / 3)
    expect(rows[3]!.value).toBeCloseTo(byText / 5)
    expect(rows[5]).toMatchObject({ value: 1, chance: 1 })
    expect(rows[0]!.chance).toBeCloseTo(5 / 3 / 5)
  })

  it('asks again only what is not answered yet, and anew what has changed', async () => {
    await files.writeCoco(dir)
    const exam = await examOf('coco')
    const asked = () => h.encoder.seen.length
    const first = await takeExam(limited(exam, 1), await runOf())
    expect(first[0]).toMatchObject({ trials: 1 })
    expect(asked()).toBe(3) // a picture and its two texts
    let told = 0
    const onProgress = (more: number) => (told += more)
    await takeExam(exam, await runOf({ onProgress }))
    expect(asked()).toBe(3 + 2 + 3)
    expect(told).toBe(answersNeeded(exam, undefined))
    expect(told).toBe(8)
    await takeExam(exam, await runOf())
    expect(asked()).toBe(8)
    await utimes(join(dir, 'val2014/COCO_val2014_1.png'), 1, 1)
    await takeExam(exam, await runOf())
    expect(asked()).toBe(9)
  })

  it('stops where it is told to, keeps what was answered, and drops the half line that a kill left', async () => {
    await files.writeCoco(dir)
    const exam = await examOf('coco')
    const stop = new AbortController()
    const why = new Error('enough')
    const halfWay = { signal: stop.signal, concurrency: 1, onProgress: (more: number) => more > 0 && stop.abort(why) }
    await expect(takeExam(exam, await runOf(halfWay))).rejects.toBe(why)
    expect(h.encoder.seen).toHaveLength(1)
    const path = join(dir, 'work', 'log.ndjson')
    const kept = await readFile(path, 'utf8')
    expect(kept.split('\n')).toHaveLength(2)
    await writeFile(path, `${kept}["text|half`)
    await takeExam(exam, await runOf())
    expect(h.encoder.seen).toHaveLength(8)
    expect((await readFile(path, 'utf8')).startsWith(kept)).toBe(true)
  })

  it('ends at a file that the service cannot read, or leaves it out and tells so', async () => {
    await files.writeCoco(dir)
    const bad = join(dir, 'val2014/COCO_val2014_2.png')
    await writeFile(bad, 'no picture')
    const exam = await examOf('coco')
    await expect(takeExam(exam, await runOf())).rejects.toThrow(/COCO_val2014_2\.png: .*--skip-missing goes on/)
    const run = await runOf({ skipsBad: true })
    const rows = await takeExam(exam, run)
    expect(rows.map(({ trials }) => trials)).toEqual([2, 2, 2, 3, 3, 3])
    expect([...run.leftOut.keys()]).toEqual([bad])
    // What was skipped once is no secret to a run that does not skip.
    await expect(takeExam(exam, await runOf())).rejects.toThrow('COCO_val2014_2.png')
  })

  it('passes on that the service failed, and leaves out nothing for that', async () => {
    await files.writeCoco(dir)
    h.encoder.failure = new Error('broken')
    await expect(takeExam(await examOf('coco'), await runOf({ skipsBad: true }))).rejects.toMatchObject({
      code: 'internal',
    })
  })
})

describe('classes', () => {
  it('are the nearest sentences zero-shot', async () => {
    await files.writeEsc50(dir)
    const exam = await examOf('esc50')
    if (exam.task !== 'classification') throw new Error('ESC-50 is classification')
    const [row, ...others] = await takeExam(exam, await runOf())
    const { data } = await client.embed(['This is a sound of helicopter', 'This is a sound of pouring rain'])
    const prompts = data.map(({ embedding }) => Float32Array.from(embedding))
    let right = 0
    for (const { path, label } of exam.media) {
      const sound = await client.embed(new Uint8Array(await readFile(path)))
      const vector = Float32Array.from(sound.data[0]!.embedding)
      if (dot(vector, prompts[label]!) > dot(vector, prompts[1 - label]!)) right++
    }
    expect(row).toMatchObject({ task: 'classes', measure: 'accuracy', trials: 2, value: right / 2, chance: 0.5 })
    expect(others).toEqual([])
  })

  it('are what a head says, whatever order and spelling its labels have', async () => {
    await files.writeVggSound(dir)
    const labels = ['Helicopter', 'rain, heavy', 'cow_lowing', 'other']
    giveHead({ task: 'classification', inputs: ['audio'], classes: 4, labels }, () => ({
      logits: Float32Array.of(2, 1, 0, 0),
      dims: [4],
    }))
    const [row] = await takeExam(await examOf('vggsound'), await runOf({ head: 'tuned' }))
    expect(row).toMatchObject({ measure: 'accuracy', value: 0.5, trials: 2 })
  })

  it('need a head that is there, tells its labels, and knows them all', async () => {
    await files.writeVggSound(dir)
    const exam = await examOf('vggsound')
    await expect(takeExam(exam, await runOf({ head: 'none' }))).rejects.toThrow(
      "The model has no head 'none'; it has none.",
    )
    giveHead({ task: 'classification', inputs: ['audio'], classes: 3 }, () => ({}))
    await expect(takeExam(exam, await runOf({ head: 'tuned' }))).rejects.toThrow('does not tell its labels')
    giveHead({ task: 'classification', inputs: ['audio'], classes: 1, labels: ['helicopter'] }, () => ({}))
    await expect(takeExam(exam, await runOf({ head: 'tuned' }))).rejects.toThrow(
      'is for other classes: it knows no cow lowing, rain, heavy.',
    )
  })

  it('are several a sound in FSD50K, measured by the mean of their average precisions', async () => {
    await files.writeFsd50k(dir)
    const said = [Float32Array.of(-1, 3, 1), Float32Array.of(-2, 4, 2)]
    giveHead({ task: 'multi-label', inputs: ['audio'], classes: 3 }, () => ({ logits: said.shift()!, dims: [3] }))
    const rows = await takeExam(await examOf('fsd50k'), await runOf({ head: 'tuned', concurrency: 1 }))
    // The first sound is Rain and Sounds of water, the second Aircraft; the head ranks each of them last.
    expect(rows).toEqual([{ task: 'classes', measure: 'mAP', trials: 2, value: 0.5 }])
  })
})

describe('questions and phrases', () => {
  it('are right where the best answer is the right one', async () => {
    await files.writeAvqa(dir)
    const scores = [4, 1, 1, 1, /* */ 1, 2, 9, 1, /* */ 1, 1, 5, 1]
    giveHead({ task: 'answer-choice', inputs: ['text', 'audio'], classes: 1 }, () => ({
      logits: Float32Array.of(scores.shift()!),
      dims: [1],
    }))
    const rows = await takeExam(await examOf('avqa'), await runOf({ concurrency: 1 }))
    expect(rows).toMatchObject([{ task: 'answers', measure: 'accuracy', trials: 3, value: 2 / 3, chance: 0.25 }])
  })

  it('are right where the box overlaps the right one by half or more, all phrases of a picture asked at once', async () => {
    await files.writeRefCoco(dir)
    const boxes = [
      [10.5, 20, 60.5, 80], // exactly
      [10.5, 20, 60.5, 49], // 0.48 of it
      [0, 0, 30, 15], // exactly half
      [128, 128, 64, 64], // inside out
    ]
    giveHead({ task: 'grounding', inputs: ['text', 'image'], classes: 4 }, () => {
      const box = Float32Array.from(boxes.shift()!, (pixel) => pixel / 128)
      return { logits: box, boxes: box, dims: [4] }
    })
    const exam = await examOf('refcoco')
    expect(answersNeeded(exam, undefined)).toBe(2)
    const [row, overlap] = await takeExam(exam, await runOf({ concurrency: 1 }))
    expect(row).toMatchObject({ task: 'phrases', measure: 'Acc@0.5', trials: 4, value: 0.5 })
    expect(overlap!.value).toBeCloseTo((1 + 29 / 60 + 0.5 + 0) / 4)
  })

  it('need a model that has such a head', async () => {
    await files.writeRefCoco(dir)
    await expect(takeExam(await examOf('refcoco'), await runOf())).rejects.toMatchObject({
      code: 'unsupported-by-model',
    })
  })
})

describe('the record of answers', () => {
  it('refuses a file that is something else', async () => {
    const path = join(dir, 'other.ndjson')
    await writeFile(path, '{"id": "x"}\n')
    await expect(WorkLog.open(path)).rejects.toThrow('is not a record of answers')
    expect(await readdir(dir)).toEqual(['other.ndjson'])
  })
})
