/** Sound events at parameters outside the trained ranges: named without a head, and found among pictures never heard. */
import { proportion, rankAmong, recalls } from '../metrics.ts'
import type { Embedder } from './embedder.ts'
import { MAKE_MATERIAL, type Material } from './material.ts'
import type { Measured, Row } from './report.ts'
import type { Space, Vector } from './space.ts'
import type { Splits } from './splits.ts'

const ZERO_SHOT = 'sound classification, zero-shot'
const TO_IMAGE = 'sound event → image'
const SETTING = 'held-out parameters'

export interface SoundOptions {
  embedder: Embedder
  space: Space
  splits: Splits
  material: Material | undefined
}

export async function soundRows({ embedder, space, splits, material }: SoundOptions): Promise<Measured> {
  if (!material) {
    return { rows: [], notMeasured: [ZERO_SHOT, TO_IMAGE].map((task) => ({ task, reason: MAKE_MATERIAL })) }
  }
  const { events, sounds } = material
  const read = (some: readonly { sound: string }[]) => Promise.all(some.map(({ sound }) => material.read(sound)))
  const clips = await embedder.embed('sound events', sounds, read)
  const prompts = await embedder.embed('their names', events, (some) => some.map((event) => `the sound of ${event}`))
  const named = sounds.filter(({ event }, i) => rankAmong(clips[i]!, prompts, events.indexOf(event)) === 0).length
  const zeroShot: Row = {
    task: ZERO_SHOT,
    setting: `${events.length} events, "the sound of …", ${SETTING}`,
    trials: sounds.length,
    figures: [proportion('accuracy', named, sounds.length, 1 / events.length)],
  }
  return { rows: [zeroShot, toImage(material, clips, space, splits)], notMeasured: [] }
}

/** Among the emoji that show an event's concept, each once. */
function toImage({ sounds }: Material, clips: readonly Vector[], { names, pictures }: Space, splits: Splits): Row {
  const rowOf = (hexcode: string) => names.findIndex((name) => sameEmoji(name.hexcode, hexcode))
  const shown = splits.sound_events.flatMap(({ name, hexcode }) => {
    const row = hexcode === null ? -1 : rowOf(hexcode)
    return row < 0 ? [] : [[name, row] as const]
  })
  const rowOfEvent = new Map(shown)
  const rows = [...new Set(shown.map(([, row]) => row))]
  const candidates = rows.map((row) => pictures[row]!)
  const ranks = sounds.flatMap(({ event }, i) => {
    const row = rowOfEvent.get(event)
    return row === undefined ? [] : [rankAmong(clips[i]!, candidates, rows.indexOf(row))]
  })
  return {
    task: TO_IMAGE,
    setting: `${rows.length} emoji of events, ${SETTING}, held-out drawing style; never trained on together`,
    trials: ranks.length,
    figures: recalls([1, 5, 10], ranks, rows.length),
  }
}

/** Some lists write the variation selector, others do not. */
const sameEmoji = (a: string, b: string): boolean => a.replaceAll('-FE0F', '') === b.replaceAll('-FE0F', '')
