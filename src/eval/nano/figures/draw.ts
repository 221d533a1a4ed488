/** The model card's figures, from what the benchmark found. What is shown is drawn by chance (seeded), not chosen. */
import { seeded } from '../../../samples/synthesis.ts'
import { boxIou, confusion, meanIou, nearest, rankAmong } from '../../metrics.ts'
import type { Overlays } from '../exams.ts'
import { scaled } from '../heads.ts'
import type { Space } from '../space.ts'
import { speak } from '../speech.ts'
import type { Splits } from '../splits.ts'
import { type Confusion, confusionsFigure } from './confusions.ts'
import { type GalleryRow, galleryFigure } from './galleries.ts'
import { type MapConcept, mapFigure } from './map.ts'
import { groundingFigure, segmentationFigure } from './overlays.ts'

export interface FigureOptions {
  space: Space
  overlays: Overlays
  splits: Splits
  /** An emoji in the held-out style, SVG source. */
  artwork: (hexcode: string) => Promise<string>
}

export interface DrawnFigure {
  /** File name without ending. */
  name: string
  /** What it shows, for those who cannot see it. */
  alt: string
  svg: string
}

const SHOWN = 8

export async function drawFigures(options: FigureOptions): Promise<DrawnFigure[]> {
  const { space, overlays } = options
  const figures: DrawnFigure[] = [
    { name: 'map', alt: 'The space on a plane: words, pictures and spoken words', svg: await drawMap(options) },
    {
      name: 'text-to-image',
      alt: 'Text to image: words and their nearest pictures',
      svg: await drawTextToImage(options),
    },
  ]
  if (space.speech) {
    const alt = 'Sound to image: spoken words and their nearest pictures'
    figures.push({ name: 'sound-to-image', alt, svg: await drawSoundToImage(options) })
  }
  const alt = 'What it took for what: pictures, and the pictures of the names they were given'
  figures.push({ name: 'confusions', alt, svg: await drawConfusions(options) })
  return [...figures, ...drawOverlays(overlays)]
}

/** From both sets of styles alike, as the cases come in that order. */
function drawOverlays({ phrases, scenes, classes }: Overlays): DrawnFigure[] {
  const figures: DrawnFigure[] = []
  if (phrases.length > 0) {
    const hits = phrases.filter(({ one, said }) => boxIou(one.box, said) >= 0.5).length
    const share = `of ${phrases.length} phrases ${percent(hits / phrases.length)} overlap the right box by half or more`
    const alt = 'Grounding: boxes of phrases over scenes'
    figures.push({ name: 'grounding', alt, svg: groundingFigure(sampleOf(phrases, 12), share) })
  }
  if (scenes.length > 0) {
    const tables = scenes.map(({ one, said }) => confusion(one.map, scaled(said, one), classes.length))
    const share = `mean intersection over union ${percent(meanIou(tables, classes.length))}`
    const alt = 'Segmentation: scenes, what they show, what the model says'
    figures.push({ name: 'segmentation', alt, svg: segmentationFigure(sampleOf(scenes, 8), classes, share) })
  }
  return figures
}

/** Evenly many of the first and the second half, by chance. */
function sampleOf<T>(all: readonly T[], count: number): T[] {
  const half = Math.floor(all.length / 2)
  const of = (part: readonly T[], seed: number) => drawn(part.length, count / 2, seed).map((i) => part[i]!)
  return [...of(all.slice(0, half), 11), ...of(all.slice(half), 13)]
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`

/** Objects of the scenes' vocabulary that are spoken words, too: their classes colour the map. */
async function drawMap({ space, splits, artwork }: FigureOptions): Promise<string> {
  const kinds = new Map(splits.objects.map((object) => [object.hexcode, object.class]))
  const concepts: MapConcept[] = []
  for (const [i, row] of space.wordRows.entries()) {
    const { hexcode } = space.names[row]!
    const kind = kinds.get(hexcode)
    if (kind === undefined) continue
    const speech = space.speech?.clips[0]?.[i]
    const vectors = { picture: space.pictures[row]!, text: space.wordTexts[i]!, ...(speech && { speech }) }
    concepts.push({ word: space.words[i]!, kind, svg: await artwork(hexcode), vectors })
  }
  return mapFigure(concepts.sort((a, b) => a.kind.localeCompare(b.kind)))
}

async function drawTextToImage({ space, artwork }: FigureOptions): Promise<string> {
  const rows: GalleryRow[] = []
  for (const i of drawn(space.words.length, SHOWN, 3)) {
    const found = await pictures(
      space,
      artwork,
      nearest(space.wordTexts[i]!, space.pictures, SHOWN),
      space.wordRows[i]!,
    )
    rows.push({ word: space.words[i]!, found })
  }
  const lines = [
    `The ${SHOWN} nearest of ${space.names.length} pictures, best first; the one of that name has a green frame.`,
  ]
  return galleryFigure('Text → image', [...lines, 'The words are drawn by chance.'], rows)
}

async function drawSoundToImage({ space, artwork }: FigureOptions): Promise<string> {
  const { voices, clips } = space.speech!
  const chosen = drawn(space.words.length, SHOWN, 5)
  const said = chosen.map((i) => space.words[i]!)
  const wavs = await speak(said, voices[0]!)
  const candidates = space.wordRows.map((row) => space.pictures[row]!)
  const rows: GalleryRow[] = []
  for (const [at, i] of chosen.entries()) {
    const hits = nearest(clips[0]![i]!, candidates, SHOWN).map((hit) => space.wordRows[hit]!)
    const found = await pictures(space, artwork, hits, space.wordRows[i]!)
    rows.push({ word: `“${space.words[i]}”`, samples: samplesOf(wavs[at]!), found })
  }
  const lines = [
    `Words spoken by ${voices[0]!.name}, a voice never heard, and the ${SHOWN} nearest of ${candidates.length} pictures. No sound was ever`,
    'trained on together with a picture: they meet through words alone. The words are drawn by chance.',
  ]
  return galleryFigure('Sound → image', lines, rows)
}

async function drawConfusions({ space, artwork }: FigureOptions): Promise<string> {
  const wrong = space.wordRows.flatMap((row, i) => (rankAmong(space.pictures[row]!, space.wordTexts, i) > 0 ? [i] : []))
  const confusions: Confusion[] = []
  const shown = async (i: number) => ({
    svg: await artwork(space.names[space.wordRows[i]!]!.hexcode),
    name: space.words[i]!,
  })
  for (const at of drawn(wrong.length, 12, 7)) {
    const i = wrong[at]!
    const [said] = nearest(space.pictures[space.wordRows[i]!]!, space.wordTexts, 1)
    confusions.push({ shown: await shown(i), said: await shown(said!) })
  }
  const share = percent(wrong.length / space.words.length)
  const lines = [
    `Of ${space.words.length} pictures, ${share} are nearest to another’s name. Twelve of these, drawn by chance:`,
    'left the picture that was shown (its name in green), right the picture of the name that it was given.',
  ]
  return confusionsFigure('What it took for what', lines, confusions)
}

async function pictures(space: Space, artwork: FigureOptions['artwork'], rows: readonly number[], right: number) {
  return Promise.all(
    rows.map(async (row) => {
      const { hexcode, name } = space.names[row]!
      return { svg: await artwork(hexcode), name, isRight: row === right }
    }),
  )
}

/** At most `most` different numbers below `count`, by chance, in order. */
function drawn(count: number, most: number, seed: number): number[] {
  const chance = seeded(seed)
  const left = Array.from({ length: count }, (_, i) => i)
  const taken = Array.from(
    { length: Math.min(most, count) },
    () => left.splice(Math.floor(chance() * left.length), 1)[0]!,
  )
  return taken.sort((a, b) => a - b)
}

/** Of a WAV file by espeak-ng: 16 bits, mono, a header of 44 bytes. */
function samplesOf(wav: Buffer): Int16Array {
  return new Int16Array(Uint8Array.from(wav.subarray(44)).buffer)
}
