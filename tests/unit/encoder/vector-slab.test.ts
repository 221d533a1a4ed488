import fc from 'fast-check'
import { expect, it } from 'vitest'
import { VectorSlab } from '../../../src/encoder/vector-slab.ts'

const DIM = 300_000 // a block is not a whole number of them

it('gives back what was added, whatever was added and removed since', () => {
  const steps = fc.array(fc.record({ adds: fc.boolean(), which: fc.nat() }), { maxLength: 12 })
  fc.assert(
    fc.property(steps, (all) => {
      const slab = new VectorSlab(DIM)
      const held = new Map<number, number>()
      for (const [value, { adds, which }] of all.entries()) {
        const places = [...held.keys()]
        if (adds || places.length === 0) {
          const place = slab.add(new Float32Array(DIM).fill(value))
          expect(held.has(place)).toBe(false)
          held.set(place, value)
        } else {
          const place = places[which % places.length]!
          slab.remove(place)
          held.delete(place)
        }
        for (const [place, filled] of held) {
          const got = slab.get(place)
          expect([got.length, got[0], got[DIM - 1]]).toEqual([DIM, filled, filled])
        }
      }
    }),
    { numRuns: 20 },
  )
})

it('gives copies: what is done to one, or to what was added, changes nothing', () => {
  const slab = new VectorSlab(2)
  const added = Float32Array.of(1, 2)
  const place = slab.add(added)
  added[0] = 9
  slab.get(place)[1] = 9
  expect([...slab.get(place)]).toEqual([1, 2])
})
