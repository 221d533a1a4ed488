import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BytePairEncoding, byteAlphabet } from '../../../src/preprocess/byte-pair-encoding.ts'
import { cleanCaption, Tokenizer } from '../../../src/preprocess/tokenizer.ts'

/** A vocabulary of our own: all bytes, and merges whose order matters ("Ġ" is the space). */
const MERGES: [string, string][] = [
  ['a', 'b'],
  ['Ġ', 'a'],
  ['b', 'c'],
  ['ab', 'ab'],
  ['a', 'a'],
  ['aa', 'aa'],
  ['c', 'ab'],
  ['abab', 'c'],
]
const TOKENS = [...byteAlphabet(), ...MERGES.map((pair) => pair.join(''))]
const ENCODER = new Map(TOKENS.map((token, id) => [token, id]))
const bpe = new BytePairEncoding(ENCODER, MERGES)

/** The published algorithm, word for word: merge all occurrences of the best pair, scan again. */
function slowBpe(word: string): number[] {
  const alphabet = byteAlphabet()
  let parts = [...new TextEncoder().encode(word)].map((byte) => alphabet[byte]!)
  for (;;) {
    const rankOf = (i: number): number => MERGES.findIndex(([l, r]) => l === parts[i] && r === parts[i + 1])
    const ranks = parts.map((_, i) => rankOf(i)).filter((rank) => rank >= 0)
    if (ranks.length === 0) return parts.map((part) => ENCODER.get(part)!)
    const [left, right] = MERGES[Math.min(...ranks)]!
    const merged: string[] = []
    for (let i = 0; i < parts.length; i++) {
      if (parts[i] === left && parts[i + 1] === right) merged.push(left + parts[++i]!)
      else merged.push(parts[i]!)
    }
    parts = merged
  }
}

let folder = ''
let tokenizer: Tokenizer
const fileOf = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokenizer-'))
  await writeFile(fileOf('encoder.json'), JSON.stringify(Object.fromEntries(ENCODER)))
  await writeFile(fileOf('vocab.bpe'), `#version: 0.2\n${MERGES.map((pair) => pair.join(' ')).join('\n')}\n`)
  const words = [...TOKENS.keys()].filter((id) => id !== ENCODER.get('z'))
  await writeFile(fileOf('dict.txt'), `${words.map((id) => `${id} 1`).join('\n')}\nmadeupword0000 0\n`)
  tokenizer = await load()
})
afterAll(() => rm(folder, { recursive: true }))

const load = (files: { encoder?: string; merges?: string; dictionary?: string } = {}) =>
  Tokenizer.load({
    encoder: fileOf('encoder.json'),
    merges: fileOf('vocab.bpe'),
    dictionary: fileOf('dict.txt'),
    ...files,
  })

describe('BytePairEncoding', () => {
  test('merges exactly as the published algorithm does', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'é'), { maxLength: 60 }), (letters) => {
        const word = letters.join('')
        expect([...bpe.encode(word)]).toEqual(slowBpe(word))
      }),
      { numRuns: 500 },
    )
  })

  test('takes a word of a megabyte in its stride', () => {
    const start = performance.now()
    expect([...bpe.encode('a'.repeat(1_000_000))]).toHaveLength(250_000)
    expect(performance.now() - start).toBeLessThan(10_000)
  })
})

describe('Tokenizer', () => {
  test('lowers, puts one space in front, and ends with eos', () => {
    expect(tokenizer.encode('AB')).toEqual(tokenizer.encode('ab'))
    expect(tokenizer.encode('').tokenIds).toEqual([idOf('Ġ'), 2])
    expect(tokenizer.encode('ab').tokenIds).toEqual([idOf('Ġ'), idOf('ab'), 2])
  })

  test('keeps 70 ids, and says when it cut', () => {
    expect(tokenizer.encode('1'.repeat(69))).toMatchObject({ truncated: false })
    expect(tokenizer.encode('1'.repeat(69)).tokenIds).toHaveLength(71)
    expect(tokenizer.encode('1'.repeat(70))).toMatchObject({ truncated: true })
    expect(tokenizer.encode('1'.repeat(70)).tokenIds).toHaveLength(71)
  })

  test('gives unk for what the dictionary lacks, and counts its filler rows', () => {
    expect(tokenizer.encode('z').tokenIds).toEqual([idOf('Ġ'), 3, 2])
    expect(tokenizer.vocabSize).toBe(4 + TOKENS.length - 1 + 1)
  })

  test.each(['a', 'ab', 'abc', ' ', 'é', '\n', '🙂'])('cuts megabytes of %j without changing the ids', (unit) => {
    const long = tokenizer.encode(unit.repeat(1_000_000))
    const shorter = tokenizer.encodeAll(` ${unit.repeat(5_000)}`)
    expect(long).toEqual({ tokenIds: [...shorter.slice(0, 70), 2], truncated: true })
  })

  test('cleans captions as the data sets do', () => {
    expect(cleanCaption('?! Two  DOGS\tand\x1c\x1da cat \n\n')).toBe('! two dogs and a cat'.slice(2))
    expect(cleanCaption('\ufeff\ufeffkeeps a byte order mark')).toBe('\ufeff\ufeffkeeps a byte order mark')
    expect(tokenizer.encodeDataset('..AB')).toEqual(tokenizer.encode('ab'))
  })

  test('keeps 70 words, however many ids, of a phrase to ground', () => {
    const phrase = new Array(71).fill('12').join(' ')
    const { tokenIds, truncated } = tokenizer.encodeGrounding(phrase)
    expect({ ids: tokenIds.length, truncated }).toEqual({ ids: 70 * 3 + 1, truncated: true })
  })

  test('takes a question and an answer as they are', () => {
    expect(tokenizer.encodeAqa('A', 'B').tokenIds).toEqual(tokenizer.encodeAll(' A answer: B'))
  })

  test.each([
    ['encoder', '{"a": "b"', /cannot be read: .*JSON/],
    ['encoder', '{"a": -1}', /"a" is not a whole number/],
    ['encoder', '{"a": 1}', /do not belong together: byte 0 needs the token/],
    ['merges', '#version\na b c\n', /line 2 is not two tokens/],
    ['merges', '#version\na ab\n', /merge 1 needs the token "aab"/],
    ['dictionary', '13\n', /line 1 is not a word and a count/],
    ['dictionary', '13 1\n13 1\n', /line 2 repeats the word 13/],
  ] as const)('says what is wrong with a %s file that holds %j', async (which, content, message) => {
    const path = fileOf('broken')
    await writeFile(path, content)
    await expect(load({ [which]: path })).rejects.toThrow(message)
  })

  test('names a file that is not there', async () => {
    await expect(load({ merges: fileOf('absent') })).rejects.toThrow(/absent cannot be read/)
  })
})

/** Row of a token: the dictionary lists all but "z" in the order of their ids. */
const idOf = (token: string): number => {
  const id = ENCODER.get(token)!
  return 4 + (id > ENCODER.get('z')! ? id - 1 : id)
}
