/** Text → token ids: GPT-2 byte-level BPE, then the fairseq dictionary (spec §10). */

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
  /** Whether text was cut to fit the 70 ids. */
  truncated: boolean
}

export class Tokenizer {
  /** Rows of the embedding table: specials and dictionary. */
  readonly vocabSize: number

  private constructor(vocabSize: number) {
    this.vocabSize = vocabSize
  }

  /** @throws Error naming the file and what is wrong with it */
  static async load(_files: TokenizerFiles): Promise<Tokenizer> {
    throw new Error('not written yet')
  }

  /** As the hub does: lower case, one space in front, the first 70 ids, `eos`. */
  encode(_text: string): TokenizedText {
    throw new Error(`not written yet for ${this.vocabSize} ids`)
  }

  /** As the retrieval, pre-training, VQA and NLVR2 data sets do: cleaned first, otherwise like `encode`. */
  encodeDataset(text: string): TokenizedText {
    return this.encode(text)
  }

  /** As the grounding data set does: cleaned, the first 70 words, ids not cut. */
  encodeGrounding(text: string): TokenizedText {
    return this.encode(text)
  }

  /** As audio question answering does: neither lowered, cleaned nor cut; `" {question} answer: {answer}"`. */
  encodeAqa(question: string, answer: string): TokenizedText {
    return this.encode(`${question} answer: ${answer}`)
  }
}
