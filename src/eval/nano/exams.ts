/** Which head is asked what: the benchmark's files on one side, the service's heads on the other. */
import type { HeadSpec } from '../../bundle/manifest.ts'
import { decodeImage } from '../../media/image.ts'
import type { HeadService } from '../../services/heads.ts'
import type { Box } from '../metrics.ts'
import type { OnProgress } from './embedder.ts'
import {
  answerRows,
  groundingRows,
  type PhraseCase,
  type SegmentCase,
  type SegmentMap,
  segmentationRows,
} from './heads.ts'
import { MAKE_MATERIAL, type Material, type Styles } from './material.ts'
import type { Measured, Row } from './report.ts'
import type { Splits } from './splits.ts'

export interface ExamOptions {
  heads: Pick<HeadService, 'ground' | 'classify' | 'answer' | 'comparePair' | 'segment'>
  /** What the bundle has. */
  specs: readonly HeadSpec[]
  splits: Splits
  material: Material | undefined
  /** PNG of an emoji in the held-out style. */
  picture: (hexcode: string) => Promise<Uint8Array>
  onProgress?: OnProgress | undefined
}

/** What was said of scenes, to draw pictures of. */
export interface Overlays {
  phrases: { one: PhraseCase; said: Box }[]
  scenes: { one: SegmentCase; said: SegmentMap }[]
  classes: readonly string[]
}

interface Exam {
  task: string
  /** The head it is for. */
  fits: (spec: HeadSpec) => boolean
  needsMaterial: boolean
  run: (head: string, task: string) => Promise<Row[]>
}

const SETTINGS: Record<Styles, string> = {
  training: 'scenes of held-out compositions, styles known',
  'held-out': 'scenes of held-out compositions, held-out drawing style',
}

/** Every exam that can be held; the others with the reason. */
export async function headRows(options: ExamOptions): Promise<Measured & { overlays: Overlays }> {
  const overlays: Overlays = { phrases: [], scenes: [], classes: options.material?.classes ?? [] }
  const measured: Measured = { rows: [], notMeasured: [] }
  for (const { task, fits, needsMaterial, run } of examsOf(options, overlays)) {
    const head = options.specs.find(fits)
    if (!head) measured.notMeasured.push({ task, reason: 'the bundle has no head for it.' })
    else if (needsMaterial && !options.material) measured.notMeasured.push({ task, reason: MAKE_MATERIAL })
    else measured.rows.push(...(await run(head.name, task)))
  }
  return { ...measured, overlays }
}

function examsOf(options: ExamOptions, overlays: Overlays): Exam[] {
  const { heads, splits, onProgress } = options
  const material = options.material as Material // an exam that needs it is not held without
  const inBothStyles = (task: string, exam: Omit<Exam, 'task' | 'needsMaterial' | 'run'>, run: StyledRun): Exam[] => [
    { task, ...exam, needsMaterial: true, run: (head, name) => run(head, name, 'training') },
    {
      task: `${task}, held-out style`,
      ...exam,
      needsMaterial: true,
      run: async (head, name) => (await run(head, name, 'held-out')).filter(({ part }) => part === undefined),
    },
  ]
  const ofStyle = <T extends { styles: Styles }>(all: readonly T[], styles: Styles) =>
    all.filter((one) => one.styles === styles)

  return [
    ...inBothStyles('grounding', { fits: ({ task }) => task === 'grounding' }, async (head, task, styles) => {
      const cases = await phraseCases(material, ofStyle(material.grounding, styles))
      const { rows, boxes } = await groundingRows(
        { task, setting: SETTINGS[styles], cases, onProgress },
        async (one) => {
          const { boxes: found } = await heads.ground(one.picture, [one.phrase], { head })
          return found[0]!.box
        },
      )
      overlays.phrases.push(...cases.map((one, i) => ({ one, said: boxes[i]! })))
      return rows
    }),
    ...inBothStyles('segmentation', { fits: ({ task }) => task === 'segmentation' }, async (head, task, styles) => {
      const cases = await segmentCases(material, ofStyle(material.segmentation, styles))
      const run = { task, setting: SETTINGS[styles], cases, onProgress }
      const { rows, maps } = await segmentationRows(run, material.classes, async ({ picture }) => {
        const { width, height, data } = await heads.segment(picture, { head })
        return { width, height, map: data }
      })
      overlays.scenes.push(...cases.map((one, i) => ({ one, said: maps[i]! })))
      return rows
    }),
    ...inBothStyles('picture questions', { fits: answers('answering', 'image') }, async (head, task, styles) => {
      const cases = ofStyle(material.questions, styles).map((one) => ({
        ...one,
        chance: material.chance.questions[one.kind]!,
      }))
      return answerRows({ task, setting: SETTINGS[styles], cases, onProgress }, async ({ picture, question }) => {
        const { scores } = await heads.answer(await material.read(picture), question, { head })
        return scores[0]!.label ?? ''
      })
    }),
    ...inBothStyles(
      'statements on picture pairs',
      { fits: ({ task }) => task === 'pair-reasoning' },
      async (head, task, styles) => {
        const cases = ofStyle(material.pairs, styles).map((one) => ({
          ...one,
          answer: `${one.true}`,
          chance: material.chance.pairs,
        }))
        return answerRows(
          { task, setting: SETTINGS[styles], cases, onProgress },
          async ({ left, right, statement }) => {
            const pair = [await material.read(left), await material.read(right)] as const
            return `${(await heads.comparePair(...pair, statement, { head })).holds}`
          },
        )
      },
    ),
    {
      task: 'sound questions',
      fits: answers('answer-choice', 'audio'),
      needsMaterial: true,
      run: (head, task) => {
        const chance = material.chance.sound_questions
        const cases = material.sound_questions.map((one) => ({ ...one, answer: one.candidates[one.right]!, chance }))
        const setting = 'four candidates; held-out voices, parameters and orders'
        return answerRows({ task, setting, cases, onProgress }, async ({ sound, question, candidates }) => {
          const { scores } = await heads.answer(await material.read(sound), question, { head, candidates })
          return candidates[scores[0]!.index]!
        })
      },
    },
    {
      task: 'sound classification, head',
      fits: answers('classification', 'audio'),
      needsMaterial: true,
      run: (head, task) => {
        const chance = 1 / material.events.length
        const cases = material.sounds.map(({ sound, event }) => ({ sound, kind: 'event', answer: event, chance }))
        const setting = `${material.events.length} events, held-out parameters`
        return answerRows({ task, setting, cases, onProgress }, async ({ sound }) => {
          const { scores } = await heads.classify(await material.read(sound), head)
          return scores[0]!.label ?? ''
        })
      },
    },
    {
      task: 'picture classification, head',
      fits: answers('classification', 'image'),
      needsMaterial: false,
      run: (head, task) => {
        const { labels = [] } = options.specs.find(({ name }) => name === head)!
        const said = (object: Splits['objects'][number]) =>
          [object.name, object.class].find((word) => labels.includes(word))
        const cases = splits.objects.flatMap((object) => {
          const answer = said(object)
          return answer === undefined ? [] : [{ ...object, kind: 'object', answer, chance: 1 / labels.length }]
        })
        const setting = `${labels.length} classes, single objects in the held-out drawing style`
        return answerRows({ task, setting, cases, onProgress }, async ({ hexcode }) => {
          const { scores } = await heads.classify(await options.picture(hexcode), head)
          return scores[0]!.label ?? ''
        })
      },
    },
  ]
}

type StyledRun = (head: string, task: string, styles: Styles) => Promise<Row[]>

const answers = (task: HeadSpec['task'], role: HeadSpec['inputs'][number]) => (spec: HeadSpec) =>
  spec.task === task && spec.inputs.includes(role)

/** The guess: the box of another phrase of the same kind. */
async function phraseCases(material: Material, all: Material['grounding']): Promise<PhraseCase[]> {
  return Promise.all(
    all.map(async (one) => {
      const others = all.filter((other) => other !== one && other.kind === one.kind).map(({ box }) => box)
      return {
        picture: await material.read(one.picture),
        phrase: one.phrase,
        kind: one.kind,
        box: one.box,
        guesses: others,
      }
    }),
  )
}

async function segmentCases(material: Material, all: Material['segmentation']): Promise<SegmentCase[]> {
  return Promise.all(
    all.map(async ({ picture, mask }) => {
      const { width, height, data } = await decodeImage(await material.read(mask), { orient: false })
      const map = data.filter((_, i) => i % 3 === 0) // grey: three equal channels
      return { picture: await material.read(picture), width, height, map }
    }),
  )
}
