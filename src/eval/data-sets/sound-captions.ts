/**
 * Sounds and sentences about them, a table each.
 *
 *   AudioCaps (Kim et al. 2019), test.csv: audiocap_id,youtube_id,start_time,caption; a line a caption, several of a clip
 *   Clotho 2.1 (Drossos et al. 2020), clotho_captions_evaluation.csv: file_name,caption_1,…,caption_5
 */
import { type Captioned, retrievalOf } from './captioned.ts'
import type { Asked, DataSet } from './data-set.ts'
import { firstOf, readCsv } from './files.ts'

/** Downloaders name a clip in several ways; its caption's number is what the authors use. */
async function readAudioCaps(dir: string, split: string): Promise<Asked> {
  const path = await firstOf(dir, `${split}.csv`)
  const rows = await readCsv(path, ['audiocap_id', 'youtube_id', 'start_time', 'caption'])
  const clips = new Map<string, typeof rows>()
  for (const row of rows) {
    const clip = `${row.youtube_id}_${row.start_time}`
    clips.set(clip, [...(clips.get(clip) ?? []), row])
  }
  const captioned = [...clips].map(([clip, captions]): Captioned => {
    const { youtube_id } = captions[0]!
    const numbers = captions.map(({ audiocap_id }) => audiocap_id)
    const names: Captioned['names'] = [clip, youtube_id, `Y${clip}`, `Y${youtube_id}`, ...numbers]
    return { names, texts: captions.map(({ caption }) => caption) }
  })
  return retrievalOf(dir, 'audio', captioned)
}

const CAPTIONS = ['caption_1', 'caption_2', 'caption_3', 'caption_4', 'caption_5'] as const

async function readClotho(dir: string, split: string): Promise<Asked> {
  const path = await firstOf(dir, `clotho_captions_${split}.csv`)
  const rows = await readCsv(path, ['file_name', ...CAPTIONS])
  const captioned = rows.map((row): Captioned => {
    return { names: [row.file_name], texts: CAPTIONS.map((column) => row[column]) }
  })
  return retrievalOf(dir, 'audio', captioned)
}

export const AUDIOCAPS: DataSet = {
  name: 'audiocaps',
  title: 'AudioCaps',
  splits: ['test', 'val'],
  layout: 'test.csv and the clips, in any folder below, named YOUTUBEID_START, YOUTUBEID, or by audiocap_id',
  read: readAudioCaps,
}

export const CLOTHO: DataSet = {
  name: 'clotho',
  title: 'Clotho',
  splits: ['evaluation', 'validation'],
  layout: 'clotho_captions_evaluation.csv and the sounds, in any folder below',
  read: readClotho,
}
