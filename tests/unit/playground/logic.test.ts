/** The playground's pure half: parts to requests, vectors to a map, samples to waves, runs to pixels, words. */
import { describe, expect, it } from 'vitest'
import { eachOf } from '../../../playground/src/logic/each-of.ts'
import { colourOf, pixelsOf } from '../../../playground/src/logic/label-map.ts'
import {
  isGroundable,
  kindOfFile,
  likeCall,
  type Part,
  searchCall,
  signed,
  stepped,
} from '../../../playground/src/logic/parts.ts'
import { neighbour, project } from '../../../playground/src/logic/projection.ts'
import { hashOf, parseRoute } from '../../../playground/src/logic/route.ts'
import { peaksOf, wavOf } from '../../../playground/src/logic/sound.ts'
import { bytesInWords, clock, counted, listOf, nameOf } from '../../../playground/src/logic/words.ts'
import { Contract } from '../../../src/http/openapi.ts'
import { readWavFrames, readWavHeader } from '../../../src/media/wav.ts'

const contract = new Contract()
const options = { modalities: [], limit: 24, diversity: 0, ground: false }
const text = (words: string, weight = 1): Part => ({ kind: 'text', text: words, weight, key: 1 })
const file = new Blob(['x'])
const picture = (weight = 1): Part => ({ kind: 'image', file, name: 'red.png', weight, key: 2 })

describe('parts to a request', () => {
  const bodyOf = (parts: Part[], more = {}) => searchCall('mine', parts, { ...options, ...more }).json

  it('sends one text of weight 1 as it is, and several with their weights, as the contract has it', () => {
    expect(bodyOf([text('a dog')])).toEqual({ query: 'a dog', limit: 24 })
    const weighted = bodyOf([text('snow'), text('people', -0.5)], {
      modalities: ['image'],
      diversity: 0.3,
      ground: true,
    })
    expect(weighted).toEqual({
      query: {
        content: [
          { type: 'text', text: 'snow' },
          { type: 'text', text: 'people', weight: -0.5 },
        ],
      },
      modalities: ['image'],
      limit: 24,
      diversity: 0.3,
      ground: true,
    })
    expect(() => contract.check('SearchRequest', weighted)).not.toThrow()
    expect(() => contract.check('SearchRequest', likeCall('mine', 'one', options).json)).not.toThrow()
  })

  it('sends files as a form, a weight for each part where any is not 1', () => {
    const { form } = searchCall('mine', [picture(), text('snow', 2)], { ...options, modalities: ['image', 'audio'] })
    expect(form).toEqual([
      { name: 'file', file, fileName: 'red.png' },
      { name: 'text', text: 'snow' },
      { name: 'weight', text: '1' },
      { name: 'weight', text: '2' },
      { name: 'modalities', text: 'image' },
      { name: 'modalities', text: 'audio' },
      { name: 'limit', text: '24' },
    ])
    expect(searchCall('mine', [picture()], options).form!.map(({ name }) => name)).toEqual(['file', 'limit'])
  })

  it('asks for boxes only where one text says of what', () => {
    expect(isGroundable([text('a dog'), picture()])).toBe(true)
    expect(isGroundable([text('a dog'), text('a cat')])).toBe(false)
    expect(isGroundable([text('a dog', -1)])).toBe(false)
    expect(bodyOf([text('a dog'), text('a cat')], { ground: true })).not.toHaveProperty('ground')
  })

  it('tells a kind by type or name, and leaves the rest to the service', () => {
    expect(kindOfFile({ type: 'image/png', name: 'x' })).toBe('image')
    expect(kindOfFile({ type: '', name: 'x.OPUS' })).toBe('audio')
    expect(kindOfFile({ type: 'application/pdf', name: 'x.pdf' })).toBe('file')
  })

  it('steps weights within bounds, without crumbs of binary fractions', () => {
    expect(stepped(1, -2)).toBe(0)
    expect(stepped(0.1 + 0.2, 1)).toBe(0.8)
    expect(stepped(3, 1)).toBe(3)
    expect([signed(1), signed(-0.5), signed(0)]).toEqual(['+1', '−0.5', '+0'])
  })
})

describe('vectors to a map', () => {
  /** 200 points of a flat, tilted cloud in 12 dimensions: wide along one axis, half as wide along another. */
  const along = (axis: number) => Array.from({ length: 12 }, (_, d) => (d === axis ? 1 : 0))
  const [u, v] = [along(3), along(7)]
  const plane = Array.from({ length: 200 }, (_, i) => [Math.sin(i * 1.7) * 2, Math.cos(i * 2.9)] as [number, number])
  const vectors = plane.map(([a, b], i) => u!.map((value, d) => a * value + b * v![d]! + 0.01 * Math.sin(i * d)))

  it('finds the directions in which they differ most, and frames them', () => {
    const points = project(vectors)
    expect(Math.max(...points.map(([x]) => x))).toBeCloseTo(1, 6)
    expect(Math.min(...points.map(([x]) => x))).toBeCloseTo(-1, 6)
    const wide = correlation(
      points.map(([x]) => x),
      plane.map(([a]) => a),
    )
    const narrow = correlation(
      points.map(([, y]) => y),
      plane.map(([, b]) => b),
    )
    expect(Math.abs(wide)).toBeGreaterThan(0.99)
    expect(Math.abs(narrow)).toBeGreaterThan(0.99)
  })

  it('takes the gap between groups away on demand', () => {
    const groups = vectors.map((_, i) => (i % 2 ? 'image' : 'audio'))
    const apart = vectors.map((vector, i) => vector.map((value, d) => value + (i % 2 && d === 0 ? 50 : 0)))
    const gap = (points: [number, number][]) => {
      const mean = (parity: number) => points.filter((_, i) => i % 2 === parity).reduce((sum, [x]) => sum + x, 0) / 100
      return Math.abs(mean(0) - mean(1))
    }
    expect(gap(project(apart))).toBeGreaterThan(1.5)
    expect(gap(project(apart, { groups }))).toBeLessThan(0.01)
  })

  it('copes with none, one, and several that are the same', () => {
    expect(project([])).toEqual([])
    expect(project([[1, 2, 3]])).toEqual([[0, 0]])
    expect(
      project([
        [1, 2],
        [1, 2],
      ])
        .flat()
        .every((value) => value === 0),
    ).toBe(true)
  })

  it('goes to the neighbour in a direction, and stays where there is none', () => {
    const points: [number, number][] = [
      [0, 0],
      [1, 0.1],
      [0.5, 3],
      [-1, 0],
    ]
    expect(neighbour(points, 0, 'right')).toBe(1)
    expect(neighbour(points, 0, 'left')).toBe(3)
    expect(neighbour(points, 0, 'up')).toBe(1)
    expect(neighbour(points, 0, 'down')).toBe(0)
  })
})

function correlation(a: number[], b: number[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [ma, mb] = [mean(a), mean(b)]
  const sum = (f: (i: number) => number) => a.reduce((total, _, i) => total + f(i), 0)
  return (
    sum((i) => (a[i]! - ma) * (b[i]! - mb)) / Math.sqrt(sum((i) => (a[i]! - ma) ** 2) * sum((i) => (b[i]! - mb) ** 2))
  )
}

describe('sounds', () => {
  it('draws the loudest of each stretch, of the loudest of all', () => {
    expect(peaksOf(Float32Array.of(0, 0.1, -0.5, 0.2, 0, 0.25), 3)).toEqual(
      [0.2, 1, 0.5].map((x) => expect.closeTo(x, 6)),
    )
    expect(peaksOf(new Float32Array(4), 2)).toEqual([0, 0])
    expect(peaksOf(Float32Array.of(1), 3)).toHaveLength(3)
  })

  it('writes a WAV that the service reads as what it was, too loud samples cut', () => {
    const wav = wavOf([Float32Array.of(0, 0.5), Float32Array.of(-2, 1)], 48_000)
    const header = readWavHeader(wav)
    expect(header).toMatchObject({ sampleRateHz: 48_000, channels: 1 })
    const [samples] = readWavFrames(wav, header, 0, 4)
    expect(Array.from(samples!)).toEqual([0, 0.5, -1, 1].map((x) => expect.closeTo(x, 3)))
  })
})

it('colours a label map run by run, and leaves hidden classes clear', () => {
  const map = {
    width: 2,
    height: 2,
    runs: [
      [1, 3],
      [0, 1],
    ],
  }
  expect(Array.from(pixelsOf(map).slice(0, 4))).toEqual([...colourOf(1), 255])
  expect(Array.from(pixelsOf(map).slice(12))).toEqual([...colourOf(0), 255])
  expect(Array.from(pixelsOf(map, new Set([0])).slice(12))).toEqual([...colourOf(0), 0])
})

it('works on a few at once, in order, and stops when told', async () => {
  const log: string[] = []
  let running = 0
  let most = 0
  const stop = new AbortController()
  await eachOf(
    [1, 2, 3, 4, 5, 6, 7],
    3,
    async (item) => {
      most = Math.max(most, ++running)
      log.push(`start ${item}`)
      await new Promise((resolve) => setTimeout(resolve, 1))
      running--
      if (item === 4) stop.abort()
    },
    stop.signal,
  )
  expect(most).toBe(3)
  expect(log.slice(0, 4)).toEqual(['start 1', 'start 2', 'start 3', 'start 4'])
  expect(log).not.toContain('start 7')
})

it('says things in words', () => {
  expect(listOf(' cat, dog\n\ncat ,a red car')).toEqual(['cat', 'dog', 'a red car'])
  expect([0, 999, 1500, 67_108_864].map(bytesInWords)).toEqual(['0 B', '999 B', '1.5 kB', '67 MB'])
  expect([7.9, 750].map(clock)).toEqual(['0:07', '12:30'])
  expect([counted(1, 'hit'), counted(2000, 'hit')]).toEqual(['1 hit', '2,000 hits'])
  expect(nameOf({ id: 'x', metadata: { name: '', title: 'A title' } })).toBe('A title')
  expect(nameOf({ id: 'x', metadata: { name: 3 } })).toBe('x')
})

it('keeps view, collection and words in the address', () => {
  const route = { view: 'map' as const, collection: 'mine', words: 'a & b' }
  expect(parseRoute(hashOf(route))).toEqual(route)
  expect(parseRoute('#/nosuch')).toEqual({ view: 'search' })
})
