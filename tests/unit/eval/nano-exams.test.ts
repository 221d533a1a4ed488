import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { HeadSpec } from '../../../src/bundle/manifest.ts'
import { type ExamOptions, headRows } from '../../../src/eval/nano/exams.ts'
import type { Material } from '../../../src/eval/nano/material.ts'
import type { Splits } from '../../../src/eval/nano/splits.ts'

const spec = (name: string, task: HeadSpec['task'], inputs: HeadSpec['inputs'], labels: string[] = []): HeadSpec => ({
  name,
  task,
  inputs,
  labels,
  graph: `head-${name}.onnx`,
  classes: labels.length,
})
const SPECS = [
  spec('boxes', 'grounding', ['text', 'image']),
  spec('maps', 'segmentation', ['image']),
  spec('picture-qa', 'answering', ['text', 'image']),
  spec('pairs', 'pair-reasoning', ['text', 'image', 'image2']),
  spec('sound-qa', 'answer-choice', ['text', 'audio']),
  spec('events', 'classification', ['audio']),
  spec('kinds', 'classification', ['image'], ['animal', 'plant']),
]

const styles = ['training', 'held-out'] as const
/** One case of each kind and set of styles; two phrases each, as the guess is another phrase's box. */
const material: Material = {
  classes: ['background', 'animal'],
  events: ['bell', 'rain'],
  chance: { questions: { exists: 0.5 }, pairs: 0.5, sound_questions: 0.25 },
  grounding: [...styles, ...styles].map((s) => ({
    styles: s,
    picture: 'p',
    phrase: 'the dog',
    kind: 'name',
    box: [0, 0, 0.5, 0.5],
  })),
  segmentation: styles.map((s) => ({ styles: s, picture: 'p', mask: 'mask' })),
  questions: styles.map((s) => ({
    styles: s,
    picture: 'p',
    question: 'is there a dog?',
    answer: 'yes',
    kind: 'exists',
  })),
  pairs: styles.map((s) => ({
    styles: s,
    left: 'p',
    right: 'q',
    statement: 'both show a dog',
    true: false,
    kind: 'both',
  })),
  sounds: [{ sound: 's', event: 'rain' }],
  sound_questions: [
    { sound: 's', question: 'which comes first?', candidates: ['bell', 'rain'], right: 1, kind: 'first' },
  ],
  read: async (name) =>
    name === 'mask'
      ? sharp(Uint8Array.of(0, 0, 1, 1), { raw: { width: 2, height: 2, channels: 1 } })
          .png()
          .toBuffer()
      : Buffer.from(name),
}

/** Always right, and remembers which head was asked what of which file. */
function fakeHeads(asked: string[]): ExamOptions['heads'] {
  const note = (head: string | undefined, ...what: unknown[]) => asked.push([head, ...what].map(String).join(' '))
  const scores = (head: string, label: string, index = 0) => ({
    head,
    scores: [{ index, label, score: 1 }],
    truncated: false,
  })
  return {
    ground: async (bytes, phrases, choice) => {
      note(choice?.head, Buffer.from(bytes), ...phrases)
      const boxes = phrases.map((phrase) => ({
        phrase,
        box: [0, 0, 0.5, 0.5] as [number, number, number, number],
        pixels: [0, 0, 64, 64] as [number, number, number, number],
        truncated: false,
      }))
      return { head: 'boxes', width: 128, height: 128, boxes }
    },
    segment: async () => ({
      head: 'maps',
      picture: { width: 1, height: 2 },
      width: 1,
      height: 2,
      data: Uint8Array.of(0, 1),
    }),
    answer: async (bytes, question, options) => {
      note(options?.head, Buffer.from(bytes), question)
      return options?.candidates ? scores('sound-qa', 'rain', 1) : scores('picture-qa', 'yes')
    },
    comparePair: async (first, second, statement, choice) => {
      note(choice?.head, Buffer.from(first), Buffer.from(second), statement)
      return { head: 'pairs', holds: false, score: 0.1, truncated: false }
    },
    classify: async (_content, head) => scores(head, head === 'events' ? 'rain' : 'plant'),
  }
}

const splits = { objects: [{ name: 'tulip', hexcode: '1F337', class: 'plant' }] } as Splits
const options = { splits, picture: async () => Uint8Array.of(1) }

describe('the exams of heads', () => {
  it('ask each head its own files and count what is right', async () => {
    const asked: string[] = []
    const { rows, notMeasured, overlays } = await headRows({
      ...options,
      heads: fakeHeads(asked),
      specs: SPECS,
      material,
    })
    expect(notMeasured).toEqual([])
    const told = rows.filter(({ part }) => part === undefined).map(({ task, figures }) => [task, figures[0]!.value])
    expect(told).toEqual([
      ['grounding', 1],
      ['grounding, held-out style', 1],
      ['segmentation', 1],
      ['segmentation, held-out style', 1],
      ['picture questions', 1],
      ['picture questions, held-out style', 1],
      ['statements on picture pairs', 1],
      ['statements on picture pairs, held-out style', 1],
      ['sound questions', 1],
      ['sound classification, head', 1],
      ['picture classification, head', 1],
    ])
    expect(asked).toContain('boxes p the dog')
    expect(asked).toContain('pairs p q both show a dog')
    expect(asked).toContain('sound-qa s which comes first?')
    expect(overlays.phrases).toHaveLength(4)
    expect(overlays.scenes).toHaveLength(2)
  })

  it('that cannot be held are listed with the reason, never dropped', async () => {
    const heads = fakeHeads([])
    const all = await headRows({ ...options, heads, specs: SPECS, material })
    const tasks = new Set(all.rows.map(({ task }) => task))
    const none = await headRows({ ...options, heads, specs: [], material: undefined })
    expect(none.rows).toEqual([])
    expect(new Set(none.notMeasured.map(({ task }) => task))).toEqual(tasks)
    const without = await headRows({ ...options, heads, specs: SPECS, material: undefined })
    expect(without.rows.map(({ task }) => task)).toEqual(['picture classification, head'])
    expect(without.notMeasured[0]!.reason).toContain('python -m training.material.benchmark --out DIR')
  })
})
