/**
 * ImageNet-1K as folders: `val/n01440764/ILSVRC2012_val_00000293.JPEG`, a folder a class. What a class is in words stands in
 * Kaggle's LOC_synset_mapping.txt (`n01440764 tench, Tinca tinca`), if it is there; the name of its folder, if not.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EvaluationError } from '../evaluation-error.ts'
import type { Asked, Classification, DataSet } from './data-set.ts'
import { filesBelow, inWords } from './files.ts'

const PICTURES = /\.(jpe?g|png|webp)$/i
const MAPPING = 'LOC_synset_mapping.txt'

async function read(dir: string, split: string): Promise<Asked> {
  const root = (await isFolder(join(dir, split))) ? join(dir, split) : dir
  const entries = await readdir(root, { withFileTypes: true }).catch(() => [])
  const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name)
  folders.sort()
  if (folders.length < 2) {
    throw new EvaluationError(`${root} has no folders of classes; ImageNet is read from ${split}/CLASS/PICTURE.JPEG.`)
  }
  const words = await wordsOf([join(dir, MAPPING), join(dirname(root), MAPPING)])
  const numbers = new Map(folders.map((name, i) => [name, i]))
  const paths = await filesBelow(root, PICTURES)
  const media = paths.map((path) => ({ path, label: numbers.get(basename(dirname(path)))! }))
  if (media.some(({ label }) => label === undefined))
    throw new EvaluationError(`${root} has pictures outside CLASS folders.`)
  if (media.length === 0) throw new EvaluationError(`${root} has no pictures in its folders.`)
  const labels = unequal(folders.map((name) => words.get(name) ?? inWords(name)))
  const classes = { labels, template: 'a photo of a {}', isOrdered: true }
  const exam: Classification = { task: 'classification', kind: 'image', media, classes }
  return { exam, missing: [] }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false
}

/** The first of each class's words; all of them where two classes share the first (a crane is a bird and a machine). */
function unequal(all: readonly string[]): string[] {
  const first = all.map((words) => words.split(',')[0]!.trim())
  const isShared = (word: string) => first.indexOf(word) !== first.lastIndexOf(word)
  return first.map((word, i) => (isShared(word) ? all[i]! : word))
}

/** Class → its words. */
async function wordsOf(places: readonly string[]): Promise<Map<string, string>> {
  for (const path of places) {
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) continue
    const lines = text.split('\n').filter((line) => line.includes(' '))
    return new Map(lines.map((line) => [line.split(' ', 1)[0]!, line.slice(line.indexOf(' ')).trim()]))
  }
  return new Map()
}

export const IMAGENET: DataSet = {
  name: 'imagenet',
  title: 'ImageNet-1K',
  splits: ['val', 'train'],
  layout: `val/CLASS/*.JPEG and, for classes in words, ${MAPPING}`,
  read,
}
