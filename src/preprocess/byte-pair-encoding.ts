/**
 * GPT-2's byte-level BPE: text → GPT-2 ids. A text is split into words by a regular expression; each word starts as its
 * UTF-8 bytes, and neighbours are merged, the pair with the best rank first, until no known pair is left.
 * Source: github.com/openai/gpt-2 `src/encoder.py`, which fairseq copies.
 *
 * The original rescans the word after every merge, which is quadratic. Here the word is a linked list and the known pairs
 * wait in a heap ordered by (rank, position), so that a word of n bytes takes O(n log n). As in the original, all
 * occurrences of a pair are merged, left to right, before any pair that this makes is looked at.
 */

/**
 * Python's `regex` module and this engine differ in `\s`: the former's is White_Space, i.e. with U+0085, without U+FEFF.
 * Contractions are case sensitive.
 */
const WORD =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu

export class BytePairEncoding {
  /** Bytes of the longest token: n ids never stand for more than n times as many bytes. */
  readonly maxTokenBytes: number
  /** GPT-2 id of each single byte. */
  private readonly byteIds: Int32Array
  /** `left * size + right` → rank. */
  private readonly ranks: Map<number, number>
  /** GPT-2 id that the merge of a rank makes. */
  private readonly mergedIds: Int32Array
  private readonly size: number
  private readonly utf8 = new TextEncoder()

  /**
   * @param encoder token in GPT-2's printable byte alphabet → id, as in `encoder.json`
   * @param merges pairs of tokens, best first, as in `vocab.bpe`
   * @throws Error naming the first token that the encoder lacks
   */
  constructor(encoder: ReadonlyMap<string, number>, merges: readonly (readonly [string, string])[]) {
    const idOf = (token: string, wanted: string): number => {
      const id = encoder.get(token)
      if (id === undefined) throw new Error(`${wanted} needs the token ${JSON.stringify(token)}, which is not there`)
      return id
    }
    this.byteIds = Int32Array.from(byteAlphabet(), (char, byte) => idOf(char, `byte ${byte}`))
    this.size = [...encoder.values()].reduce((max, id) => Math.max(max, id + 1), 0)
    this.maxTokenBytes = [...encoder.keys()].reduce((max, token) => Math.max(max, token.length), 1)
    this.ranks = new Map()
    this.mergedIds = new Int32Array(merges.length)
    merges.forEach(([left, right], rank) => {
      const line = `merge ${rank + 1}`
      this.ranks.set(idOf(left, line) * this.size + idOf(right, line), rank)
      this.mergedIds[rank] = idOf(left + right, line)
    })
  }

  /** GPT-2 ids of a text, word by word, so that a caller who needs only the first ones can stop. */
  *encode(text: string): Generator<number, void, void> {
    for (const [word] of text.matchAll(WORD)) yield* this.encodeWord(this.utf8.encode(word))
  }

  private encodeWord(bytes: Uint8Array): number[] {
    const ids = Int32Array.from(bytes, (byte) => this.byteIds[byte]!)
    const length = ids.length
    const next = Int32Array.from(ids, (_, i) => i + 1)
    const previous = Int32Array.from(ids, (_, i) => i - 1)
    const rankAt = (i: number): number | undefined =>
      next[i]! < length ? this.ranks.get(ids[i]! * this.size + ids[next[i]!]!) : undefined

    const heap = new MinHeap()
    const pushPair = (i: number): void => {
      const rank = i >= 0 ? rankAt(i) : undefined
      if (rank !== undefined) heap.push(rank * length + i)
    }
    for (let i = 0; i + 1 < length; i++) pushPair(i)

    const touched: number[] = []
    for (;;) {
      const key = heap.peek()
      if (key === undefined) break
      const rank = Math.floor(key / length)
      touched.length = 0
      for (let top = heap.peek(); top !== undefined && top < (rank + 1) * length; top = heap.peek()) {
        const i = heap.pop()! - rank * length
        // A merge since then may have taken either half; an absorbed symbol is marked -1.
        if (ids[i] === -1 || rankAt(i) !== rank) continue
        const absorbed = next[i]!
        ids[i] = this.mergedIds[rank]!
        ids[absorbed] = -1
        next[i] = next[absorbed]!
        if (next[i]! < length) previous[next[i]!] = i
        touched.push(previous[i]!, i)
      }
      for (const i of touched) if (i >= 0 && ids[i] !== -1) pushPair(i)
    }
    return Array.from(ids.filter((id) => id !== -1))
  }
}

/** Character for each byte 0..255: printable ones stand for themselves, the others follow from U+0100 on. */
export function byteAlphabet(): string[] {
  let extra = 0
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
    return String.fromCharCode(printable ? byte : 256 + extra++)
  })
}

/** Binary heap of numbers, smallest first. */
class MinHeap {
  private readonly keys: number[] = []

  peek(): number | undefined {
    return this.keys[0]
  }

  push(key: number): void {
    const keys = this.keys
    let i = keys.push(key) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (keys[parent]! <= key) break
      keys[i] = keys[parent]!
      i = parent
    }
    keys[i] = key
  }

  pop(): number | undefined {
    const keys = this.keys
    const top = keys[0]
    const last = keys.pop()
    if (last === undefined || keys.length === 0) return top
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= keys.length) break
      if (child + 1 < keys.length && keys[child + 1]! < keys[child]!) child++
      if (keys[child]! >= last) break
      keys[i] = keys[child]!
      i = child
    }
    keys[i] = last
    return top
  }
}
