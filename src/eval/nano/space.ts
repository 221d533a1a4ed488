/** Everything the benchmark compares, as points of the space: made once, then ranked by the evaluator. */
import type { Embedder } from './embedder.ts'
import { speak, type Voice } from './speech.ts'
import type { Concept, SpeedPitch, Splits } from './splits.ts'

export type Vector = Float32Array

export interface Space {
  /** All names, each with its picture in the held-out style: row i of each belongs to `names[i]`. */
  names: readonly Concept[]
  nameTexts: Vector[]
  pictures: Vector[]
  /** The spoken words; `words[i]` is the concept of `names[wordRows[i]]`. */
  words: readonly string[]
  wordRows: number[]
  wordTexts: Vector[]
  /** `a picture of a …`, a class each. */
  wordPrompts: Vector[]
  /** Absent without espeak-ng. */
  speech?: SpokenWords
}

export interface SpokenWords {
  voices: readonly Voice[]
  /** `[voice][word]` */
  clips: Vector[][]
  /** The first voice at the corners of speed and pitch, `row` being the word's. */
  corners: { row: number; clip: Vector }[]
}

export interface SpaceOptions {
  splits: Splits
  /** PNG of an emoji in the held-out style. */
  picture: (hexcode: string) => Promise<Uint8Array>
  hasSpeech: boolean
}

/** Of the words, every fourth is spoken at the corners. */
const CORNER_STRIDE = 4

export async function embedSpace(embedder: Embedder, { splits, picture, hasSpeech }: SpaceOptions): Promise<Space> {
  const { names } = splits
  const words = splits.words.map(({ word }) => word)
  return {
    names,
    nameTexts: await embedder.embed('names', names, (some) => some.map(({ name }) => name)),
    pictures: await embedder.embed('pictures', names, (some) =>
      Promise.all(some.map(({ hexcode }) => picture(hexcode))),
    ),
    words,
    wordRows: rowsOf(splits),
    wordTexts: await embedder.embed('words', words, (some) => some),
    wordPrompts: await embedder.embed('prompts', words, (some) => some.map((word) => `a picture of a ${word}`)),
    ...(hasSpeech && { speech: await embedSpeech(embedder, splits, words) }),
  }
}

/** Row of each word's concept among the names. */
function rowsOf({ names, words }: Splits): number[] {
  const rows = new Map(names.map(({ hexcode }, row) => [hexcode, row]))
  return words.map(({ word, hexcode }) => {
    const row = rows.get(hexcode)
    if (row === undefined) throw new Error(`The splits name no concept ${hexcode}, which '${word}' is spoken for.`)
    return row
  })
}

async function embedSpeech(embedder: Embedder, splits: Splits, words: readonly string[]): Promise<SpokenWords> {
  const { benchmark, corners } = splits.held_out_speed_pitch
  const at = (name: string, { speed_wpm: speedWpm, pitch }: SpeedPitch): Voice => ({ name, speedWpm, pitch })
  const embedBy = (voice: Voice, said: readonly string[]) => {
    const step = `${voice.name} at ${voice.speedWpm} words a minute, pitch ${voice.pitch}`
    return embedder.embed(step, said, (some) => speak(some, voice))
  }
  const voices = splits.held_out_voices.map((name) => at(name, benchmark))
  const clips: Vector[][] = []
  for (const voice of voices) clips.push(await embedBy(voice, words))

  const rows = [...words.keys()].filter((row) => row % CORNER_STRIDE === 0)
  const some = rows.map((row) => words[row]!)
  const atCorners: SpokenWords['corners'] = []
  for (const corner of corners) {
    const spoken = await embedBy(at(voices[0]!.name, corner), some)
    atCorners.push(...spoken.map((clip, i) => ({ row: rows[i]!, clip })))
  }
  return { voices, clips, corners: atCorners }
}
