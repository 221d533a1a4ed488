/**
 * Sounds and their classes, a table each.
 *
 *   ESC-50 (Piczak 2015), meta/esc50.csv: filename,fold,target,category,esc10,src_file,take
 *   VGGSound (Chen et al. 2020), vggsound.csv, no heading: YouTube id, start in seconds, label, split
 *   FSD50K (Fonseca et al. 2020), FSD50K.ground_truth/eval.csv: fname,labels,mids; vocabulary.csv, no heading: number, label, mid
 */
import { join } from 'node:path'
import { EvaluationError } from '../evaluation-error.ts'
import type { Asked, Classes, Classification, DataSet, Tagging } from './data-set.ts'
import { firstOf, inWords, MediaFolder, readCsv } from './files.ts'

/** The reference's sentence (spec §10). */
const TEMPLATE = 'This is a sound of {}'

async function readEsc50(dir: string, split: string): Promise<Asked> {
  const rows = await readCsv(join(dir, 'meta', 'esc50.csv'), ['filename', 'fold', 'target', 'category'])
  const own = split === 'full' ? rows : rows.filter(({ fold }) => `fold${fold}` === split)
  if (own.length === 0) throw new EvaluationError(`esc50.csv has no sound of the split '${split}'.`)
  const labels: string[] = []
  for (const { target, category } of rows) labels[Number(target)] ??= inWords(category)
  const sounds = own.map(({ filename, target }): Labelled => ({ names: [filename], label: Number(target) }))
  return classificationOf(dir, sounds, { labels, template: TEMPLATE, isOrdered: true })
}

async function readVggSound(dir: string, split: string): Promise<Asked> {
  const path = await firstOf(dir, 'vggsound.csv')
  const rows = await readCsv(path, ['id', 'start', 'label', 'split'], { hasHeading: false })
  const own = rows.filter((row) => row.split === split)
  if (own.length === 0) throw new EvaluationError(`vggsound.csv has no clip of the split '${split}'.`)
  const labels = [...new Set(rows.map(({ label }) => label))].sort()
  const numbers = new Map(labels.map((label, i) => [label, i]))
  const sounds = own.map(({ id, start, label }): Labelled => {
    return { names: [`${id}_${start.padStart(6, '0')}`, `${id}_${start}`, id], label: numbers.get(label)! }
  })
  return classificationOf(dir, sounds, { labels, template: TEMPLATE, isOrdered: false })
}

interface Labelled {
  /** As `MediaFolder.find` takes them. */
  names: [string, ...string[]]
  label: number
}

async function classificationOf(dir: string, sounds: readonly Labelled[], classes: Classes): Promise<Asked> {
  const folder = await MediaFolder.open(dir, 'audio')
  const media = sounds.flatMap(({ names, label }) => {
    const path = folder.find(...names)
    return path === undefined ? [] : [{ path, label }]
  })
  const exam: Classification = { task: 'classification', kind: 'audio', media, classes }
  return { exam, missing: folder.missing }
}

async function readFsd50k(dir: string, split: string): Promise<Asked> {
  const truth = join(dir, 'FSD50K.ground_truth')
  const vocabulary = await readCsv(join(truth, 'vocabulary.csv'), ['number', 'label', 'mid'], { hasHeading: false })
  const rows = await readCsv(join(truth, `${split}.csv`), ['fname', 'labels'])
  const numbers = new Map(vocabulary.map(({ label }, i) => [label, i]))
  const folder = await MediaFolder.open(dir, 'audio')
  const media = rows.flatMap(({ fname, labels }) => {
    const path = folder.find(fname)
    return path === undefined ? [] : [{ path, labels: labels.split(',').map((label) => numberOf(label, numbers)) }]
  })
  const exam: Tagging = {
    task: 'tagging',
    kind: 'audio',
    media,
    classes: { labels: vocabulary.map(({ label }) => inWords(label)), template: TEMPLATE, isOrdered: true },
  }
  return { exam, missing: folder.missing }
}

function numberOf(label: string, numbers: ReadonlyMap<string, number>): number {
  const number = numbers.get(label)
  if (number === undefined) throw new EvaluationError(`The label '${label}' of FSD50K is not in vocabulary.csv.`)
  return number
}

export const ESC50: DataSet = {
  name: 'esc50',
  title: 'ESC-50',
  splits: ['full', 'fold1', 'fold2', 'fold3', 'fold4', 'fold5'],
  layout: 'meta/esc50.csv and audio/',
  read: readEsc50,
}

export const VGGSOUND: DataSet = {
  name: 'vggsound',
  title: 'VGGSound',
  splits: ['test', 'train'],
  layout: 'vggsound.csv and the clips as sounds, in any folder below, named YOUTUBEID_START',
  read: readVggSound,
}

export const FSD50K: DataSet = {
  name: 'fsd50k',
  title: 'FSD50K',
  splits: ['eval', 'dev'],
  layout: 'FSD50K.ground_truth/ (eval.csv, vocabulary.csv) and FSD50K.eval_audio/',
  read: readFsd50k,
}
