/** Media and the sentences about each, as an exam: what COCO and Flickr30K, AudioCaps and Clotho have in common. */
import type { Asked, MediaKind, Retrieval } from './data-set.ts'
import { MediaFolder } from './files.ts'

export interface Captioned {
  /** As `MediaFolder.find` takes them. */
  names: [string, ...string[]]
  texts: string[]
}

/** @throws EvaluationError if the folder cannot be read or holds no such media */
export async function retrievalOf(dir: string, kind: MediaKind, captioned: readonly Captioned[]): Promise<Asked> {
  const folder = await MediaFolder.open(dir, kind)
  const exam: Retrieval = { task: 'retrieval', kind, media: [], texts: [] }
  for (const { names, texts } of captioned) {
    const path = folder.find(...names)
    if (path === undefined) continue
    const of = exam.media.push(path) - 1
    exam.texts.push(...texts.map((text) => ({ text, of })))
  }
  return { exam, missing: folder.missing }
}
