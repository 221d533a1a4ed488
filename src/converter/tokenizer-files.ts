/** Copies the tokenizer's files into a bundle, after checking that the dictionary fits the embedding table. */
import { copyFile, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { BundleFile, BundleManifest } from '../bundle/manifest.ts'
import { hashFile } from '../bundle/open.ts'
import { ConvertError } from './convert-error.ts'

const NAMES: NonNullable<BundleManifest['tokenizer']> = {
  encoder: 'encoder.json',
  merges: 'vocab.bpe',
  dictionary: 'dict.txt',
}
/** <s>, <pad>, </s> and <unk> come before the lines of dict.txt (fairseq's Dictionary). */
const SPECIAL_IDS = 4

/** @throws ConvertError */
export async function copyTokenizer(
  bpeDir: string | undefined,
  outDir: string,
  vocabSize: number,
): Promise<{ names: typeof NAMES; files: BundleFile[] }> {
  if (!bpeDir) {
    throw new ConvertError(
      `A checkpoint has a text branch: say with --bpe where ${Object.values(NAMES).join(', ')} are.`,
    )
  }
  const dictionary = await readFile(join(bpeDir, NAMES.dictionary), 'utf8').catch((cause: unknown) => {
    throw new ConvertError(
      `${join(bpeDir, NAMES.dictionary)} cannot be read: --bpe must name the tokenizer's folder.`,
      {
        cause,
      },
    )
  })
  const size = SPECIAL_IDS + dictionary.split('\n').filter((line) => line !== '').length
  if (size !== vocabSize) {
    throw new ConvertError(`${NAMES.dictionary} gives ${size} token ids but the checkpoint embeds ${vocabSize}.`)
  }
  const files = await Promise.all(Object.values(NAMES).map((name) => copyInto(bpeDir, outDir, name)))
  return { names: NAMES, files }
}

async function copyInto(from: string, to: string, name: string): Promise<BundleFile> {
  const path = join(to, name)
  await copyFile(join(from, name), path)
  return { path: name, bytes: (await stat(path)).size, sha256: await hashFile(path) }
}
