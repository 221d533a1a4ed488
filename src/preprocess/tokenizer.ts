/**
 * Text → token ids (spec §10): byte-level BPE gives GPT-2 ids, whose decimal form is looked up as a word in the fairseq
 * dictionary of the checkpoint. No `bos`; an `eos` ends every text.
 *
 *   <s> = 0   <pad> = 1   </s> = 2   <unk> = 3   then the lines of dict.txt in order, from 4
 */
import { readFile } from 'node:fs/promises'
import { BytePairEncoding } from './byte-pair-encoding.ts'

export const PAD_ID = 1
export const EOS_ID = 2
const UNK_ID = 3
const FIRST_DICTIONARY_ID = 4
/** Ids kept before `eos` (spec §10). */
const MAX_IDS = 70
/** Words the grounding data set keeps (spec §10). */
const MAX_GROUNDING_WORDS = 70
/** What the data sets strip from the start of a caption (spec §10). */
const LEADING_MARKS = new Set(',.!?*#:;~')
/** Python's `re` counts the separators U+001C to U+001F as white space, unlike its `regex` module, and not U+FEFF. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python's white space has them
const SPACE_RUN = /[\p{White_Space}\x1c-\x1f]{2,}|\t/gu

export interface TokenizerFiles {
  /** `encoder.json`: GPT-2 token → GPT-2 id. */
  encoder: string
  /** `vocab.bpe`: merges, best first. */
  merges: string
  /** `dict.txt`: GPT-2 ids in the order of the checkpoint's embedding rows. */
  dictionary: string
}

export interface TokenizedText {
  /** Dictionary ids ending in `eos`. */
  tokenIds: number[]
  /** Whether text was cut to fit. */
  truncated: boolean
}

export class Tokenizer {
  /** Rows of the embedding table: specials and dictionary. */
  readonly vocabSize: number
  private readonly bpe: BytePairEncoding
  /** GPT-2 id → dictionary id. */
  private readonly dictionaryIds: ReadonlyMap<number, number>

  private constructor(bpe: BytePairEncoding, words: readonly string[]) {
    this.bpe = bpe
    this.vocabSize = FIRST_DICTIONARY_ID + words.length
    // `madeupword0000` and its like only fill rows; no GPT-2 id points to them.
    const rows = words.map((word, i) => [word, FIRST_DICTIONARY_ID + i] as const)
    this.dictionaryIds = new Map(rows.filter(([word]) => /^\d+$/.test(word)).map(([word, id]) => [Number(word), id]))
  }

  /** @throws Error naming the file and what is wrong with it */
  static async load(files: TokenizerFiles): Promise<Tokenizer> {
    const [encoder, merges, words] = await Promise.all([
      parseFile(files.encoder, parseEncoder),
      parseFile(files.merges, parseMerges),
      parseFile(files.dictionary, parseDictionary),
    ])
    try {
      return new Tokenizer(new BytePairEncoding(encoder, merges), words)
    } catch (error) {
      throw new Error(`The tokenizer's ${files.merges} and ${files.encoder} do not belong together: ${reason(error)}.`)
    }
  }

  /** As the hub does: lower case, one space in front, the first 70 ids, `eos`. Nothing is stripped. */
  encode(text: string): TokenizedText {
    return this.encodeFirst(` ${head(text, this.maxUnits()).toLowerCase()}`)
  }

  /** As the retrieval, pre-training, VQA and NLVR2 data sets do: cleaned first, otherwise like `encode`. */
  encodeDataset(text: string): TokenizedText {
    return this.encodeFirst(` ${head(cleanCaption(text), this.maxUnits())}`)
  }

  /** As the grounding data set does: cleaned, the first 70 words, ids not cut. */
  encodeGrounding(text: string): TokenizedText {
    const words = cleanCaption(text).split(' ')
    const kept = words.slice(0, MAX_GROUNDING_WORDS).join(' ')
    return { tokenIds: this.encodeAll(` ${kept}`), truncated: words.length > MAX_GROUNDING_WORDS }
  }

  /** As audio question answering does: `" {question} answer: {answer}"`, neither lowered, cleaned nor cut. */
  encodeAqa(question: string, answer: string): TokenizedText {
    return { tokenIds: this.encodeAll(` ${question} answer: ${answer}`), truncated: false }
  }

  /** Dictionary ids of a text as it stands, then `eos`. */
  encodeAll(text: string): number[] {
    return [...this.lookUp(text), EOS_ID]
  }

  private encodeFirst(text: string): TokenizedText {
    const tokenIds: number[] = []
    for (const id of this.lookUp(text)) {
      if (tokenIds.length === MAX_IDS) return { tokenIds: [...tokenIds, EOS_ID], truncated: true }
      tokenIds.push(id)
    }
    return { tokenIds: [...tokenIds, EOS_ID], truncated: false }
  }

  private *lookUp(text: string): Generator<number, void, void> {
    for (const id of this.bpe.encode(text)) yield this.dictionaryIds.get(id) ?? UNK_ID
  }

  /**
   * 70 ids stand for at most 70 × maxTokenBytes bytes, so that what lies far behind them need not be looked at, however
   * long the text. Four times as much leaves merges across the cut no way to reach back to the ids that are kept.
   */
  private maxUnits(): number {
    return 4 * MAX_IDS * this.bpe.maxTokenBytes
  }
}

/** The cleaning of the data sets (spec §10), Python's `.lower()`, `.lstrip`, `re.sub`, `.rstrip('\n')` and `.strip(' ')`. */
export function cleanCaption(text: string): string {
  const lowered = text.toLowerCase()
  let start = 0
  while (LEADING_MARKS.has(lowered[start] ?? '')) start++
  const spaced = lowered.slice(start).replace(SPACE_RUN, ' ')
  let end = spaced.length
  while (spaced[end - 1] === '\n') end--
  start = 0
  while (start < end && spaced[start] === ' ') start++
  while (end > start && spaced[end - 1] === ' ') end--
  return spaced.slice(start, end)
}

/** The first `maxUnits` UTF-16 units, without half a surrogate pair at the end. */
function head(text: string, maxUnits: number): string {
  if (text.length <= maxUnits) return text
  const last = text.charCodeAt(maxUnits - 1)
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? maxUnits - 1 : maxUnits)
}

async function parseFile<T>(path: string, parse: (content: string) => T): Promise<T> {
  try {
    return parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new Error(`The tokenizer file ${path} cannot be read: ${reason(error)}.`, { cause: error })
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function parseEncoder(content: string): Map<string, number> {
  const json: unknown = JSON.parse(content)
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new Error('it is not a JSON object')
  const entries = Object.entries(json)
  const bad = entries.find(([, id]) => !Number.isInteger(id) || id < 0)
  if (bad) throw new Error(`the id of ${JSON.stringify(bad[0])} is not a whole number`)
  return new Map(entries)
}

/** `#version: 0.2`, then two tokens a line; as in the original, nothing after the last newline. */
function parseMerges(content: string): [string, string][] {
  const lines = content.split('\n').slice(1)
  return lines
    .filter((line) => line !== '')
    .map((line, i) => {
      const parts = line.split(' ')
      if (parts.length !== 2) throw new Error(`line ${i + 2} is not two tokens with a space between them`)
      return parts as [string, string]
    })
}

/** A word and its count a line (fairseq `Dictionary.add_from_file`). */
function parseDictionary(content: string): string[] {
  const seen = new Set<string>()
  content
    .split('\n')
    .filter((line) => line.trimEnd() !== '')
    .forEach((line, i) => {
      const [, word, count] = /^(.+?) (\d+)(?: #fairseq:overwrite)?\s*$/.exec(line) ?? []
      if (word === undefined || count === undefined) throw new Error(`line ${i + 1} is not a word and a count`)
      if (seen.has(word)) throw new Error(`line ${i + 1} repeats the word ${word}`)
      seen.add(word)
    })
  return [...seen]
}
