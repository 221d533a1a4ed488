/**
 * Retrieval and zero-shot rows, ranked by the evaluator on embeddings that the service made.
 *
 *   names ⇄ pictures in a style never trained on       words ⇄ words in voices never trained on ⇄ pictures (never paired)
 */
import { type Figure, proportion, rankAmong, recalls } from '../metrics.ts'
import type { Measured, Row } from './report.ts'
import type { Space, SpokenWords, Vector } from './space.ts'

const CUTOFFS = [1, 5, 10]
export const NO_SPEECH = 'espeak-ng is not installed (Debian and Ubuntu: apt install espeak-ng).'

interface Query {
  vector: Vector
  /** Row of its right answer. */
  right: number
}

const eachOwn = (vectors: readonly Vector[]): Query[] => vectors.map((vector, right) => ({ vector, right }))

function retrieval(queries: readonly Query[], candidates: readonly Vector[]): { trials: number; figures: Figure[] } {
  const ranks = queries.map(({ vector, right }) => rankAmong(vector, candidates, right))
  return { trials: ranks.length, figures: recalls(CUTOFFS, ranks, candidates.length) }
}

/** Pictures and names, and pictures classed by words. */
export function pictureRows(space: Space): Row[] {
  const { names, nameTexts, pictures } = space
  const setting = `all ${names.length} names, held-out drawing style`
  return [
    { task: 'text → image', setting, ...retrieval(eachOwn(nameTexts), pictures) },
    { task: 'image → text', setting, ...retrieval(eachOwn(pictures), nameTexts) },
    zeroShotPictures(space),
  ]
}

function zeroShotPictures({ words, wordPrompts, wordRows, pictures }: Space): Row {
  const ranks = wordRows.map((row, i) => rankAmong(pictures[row]!, wordPrompts, i))
  const right = ranks.filter((rank) => rank === 0).length
  return {
    task: 'picture classification, zero-shot',
    setting: `${words.length} classes, "a picture of a …", held-out drawing style`,
    trials: ranks.length,
    figures: [proportion('accuracy', right, ranks.length, 1 / words.length)],
  }
}

const SPEECH_TASKS = ['spoken word → text', 'text → spoken word', 'spoken word → image', 'image → spoken word']

/** Spoken words to and from texts and pictures; each voice by itself, too. */
export function speechRows(space: Space): Measured {
  const { speech } = space
  if (!speech) return { rows: [], notMeasured: SPEECH_TASKS.map((task) => ({ task, reason: NO_SPEECH })) }
  const targets = { text: space.wordTexts, image: space.wordRows.map((row) => space.pictures[row]!) }
  const rows = (['text', 'image'] as const).flatMap((kind) => [
    ...fromSpeech(kind, targets[kind], speech),
    toSpeech(kind, targets[kind], speech),
  ])
  return { rows, notMeasured: [] }
}

function settingOf(kind: 'text' | 'image', count: number, whose: string): string {
  return kind === 'text'
    ? `${count} words, ${whose}`
    : `${count} concepts, ${whose}, held-out drawing style; never trained on together`
}

function fromSpeech(
  kind: 'text' | 'image',
  targets: readonly Vector[],
  { voices, clips, corners }: SpokenWords,
): Row[] {
  const task = `spoken word → ${kind}`
  const setting = settingOf(kind, targets.length, `${voices.length} held-out voices`)
  const voice = (i: number): Row => ({
    task,
    part: `voice ${voices[i]!.name}`,
    setting: `the same ${targets.length}`,
    ...retrieval(eachOwn(clips[i]!), targets),
  })
  const atCorners = corners.map(({ row, clip }): Query => ({ vector: clip, right: row }))
  return [
    { task, setting, ...retrieval(clips.flatMap(eachOwn), targets) },
    ...voices.map((_, i) => voice(i)),
    {
      task,
      part: 'speed and pitch corners',
      setting: `the same ${targets.length}; ${voices[0]!.name} very slow or fast, low or high`,
      ...retrieval(atCorners, targets),
    },
  ]
}

/** The clips of one voice are searched at a time; the figures are over all voices. */
function toSpeech(kind: 'text' | 'image', queries: readonly Vector[], { voices, clips }: SpokenWords): Row {
  const ranks = clips.flatMap((spoken) => queries.map((query, i) => rankAmong(query, spoken, i)))
  return {
    task: `${kind} → spoken word`,
    setting: settingOf(kind, queries.length, `each of ${voices.length} held-out voices by itself`),
    trials: ranks.length,
    figures: recalls(CUTOFFS, ranks, queries.length),
  }
}
