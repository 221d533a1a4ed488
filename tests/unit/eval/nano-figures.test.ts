import { describe, expect, it } from 'vitest'
import { galleryFigure } from '../../../src/eval/nano/figures/galleries.ts'
import { segmentationFigure } from '../../../src/eval/nano/figures/overlays.ts'
import { text } from '../../../src/eval/nano/figures/svg.ts'
import { tsne } from '../../../src/eval/nano/figures/tsne.ts'
import { renderDrawing } from '../../../src/media/image.ts'
import { seeded } from '../../../src/samples/synthesis.ts'

/** Three bundles of twelve directions. */
function bundles(): Float32Array[] {
  const chance = seeded(3)
  return Array.from({ length: 36 }, (_, i) => {
    const vector = Float32Array.from({ length: 8 }, (_, d) => (d === i % 3 ? 1 : 0.3 * (chance() - 0.5)))
    return vector.map((x) => x / Math.hypot(...vector))
  })
}

describe('the map', () => {
  it('keeps near points near, and is the same every time', () => {
    const places = tsne(bundles(), { perplexity: 6, chance: seeded(1) })
    expect(tsne(bundles(), { perplexity: 6, chance: seeded(1) })).toEqual(places)
    const apart = (i: number, j: number) => Math.hypot(places[i]![0] - places[j]![0], places[i]![1] - places[j]![1])
    for (let i = 0; i < 36; i++) {
      const order = [...places.keys()].filter((j) => j !== i).sort((a, b) => apart(i, a) - apart(i, b))
      expect(order[0]! % 3).toBe(i % 3)
    }
    expect(places.flat().every((x) => x >= -1 && x <= 1)).toBe(true)
  })
})

describe('a figure', () => {
  it('is a PNG of few colours, whatever the words', async () => {
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><circle cx="18" cy="18" r="18" fill="#f00"/></svg>'
    const found = [{ svg, name: 'A & <B>', isRight: true }]
    const png = await renderDrawing(galleryFigure('Title', ['line'], [{ word: 'a < b', found }]))
    expect(png.subarray(1, 4).toString()).toBe('PNG')
    expect(png[25]).toBe(3) // colour type: palette
    expect(text({ x: 0, y: 0 }, '<&>')).toContain('&lt;&amp;&gt;')
  })

  it('draws a label map as one path a class, a rectangle a run, the background left out', () => {
    const one = { picture: Uint8Array.of(1), width: 3, height: 2, map: Uint8Array.of(0, 1, 1, 2, 2, 0) }
    const svg = segmentationFigure(
      [{ one, said: { width: 1, height: 1, map: Uint8Array.of(0) } }],
      ['background', 'a', 'b'],
      '',
    )
    expect(svg.match(/<path d="[^"]+"/g)).toEqual(['<path d="M1 0h2v1h-2z"', '<path d="M0 1h2v1h-2z"'])
  })
})
