import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { sortable, unsortable } from '../../../src/vectors/facts.ts'
import { filterFieldsOf, pointsFilter, qdrantFilter } from '../../../src/vectors/qdrant-filter.ts'

const fact = (value: string) => ({ key: 'facts', match: { value } })

it('asks for a value of each type by its fact, fractions and keys of any characters too', () => {
  const filter = qdrantFilter({
    must: [
      { key: 'a.b', match: { value: 'x"y' } },
      { key: 'weird "key"[]', match: { value: true } },
      { key: 'n', match: { value: 1.5 } },
    ],
  })
  expect(filter).toEqual({
    must: [fact('s:"a.b"="x\\"y"'), fact('b:"weird \\"key\\"[]"=true'), fact(`n:"n"=${sortable(1.5)}`)],
  })
})

it('asks for any of values of mixed types in one condition, each once', () => {
  const filter = qdrantFilter({ must: [{ key: 'k', match: { any: [1, '1', true, 1] } }] })
  expect(filter).toEqual({
    must: [{ key: 'facts', match: { any: [`n:"k"=${sortable(1)}`, 's:"k"="1"', 'b:"k"=true'] } }],
  })
})

it('asks for what nothing is when it is asked for any of nothing', () => {
  expect(qdrantFilter({ must: [{ key: 'k', match: { any: [] } }] })).toEqual({ must: [fact('')] })
  expect(filterFieldsOf({ '': '' }).facts).not.toContain('')
})

it('bounds one number of the key, not one number by each bound', () => {
  const nested = (must: unknown[]) => ({ must: [{ nested: { key: 'numbers', filter: { must } } }] })
  const key = { key: 'key', match: { value: 'n:"k"=' } }
  const filter = qdrantFilter({ must: [{ key: 'k', range: { gt: 1, lte: 2.5, lt: undefined } }] })
  expect(filter).toEqual(nested([key, { key: 'value', range: { gt: 1, lte: 2.5 } }]))
  expect(qdrantFilter({ must: [{ key: 'k', range: {} }] })).toEqual(nested([key]))
})

it('leaves out lists that ask nothing, and turns a missing key round', () => {
  expect(qdrantFilter({ must: [], should: [], must_not: [] })).toEqual({})
  expect(qdrantFilter({ should: [{ key: 'k', exists: false }], must_not: [{ key: 'j', exists: true }] })).toEqual({
    should: [{ must_not: [fact('e:"k"')] }],
    must_not: [fact('e:"j"')],
  })
})

it('keeps the filter of metadata whole beside modalities', () => {
  const filter = { should: [{ key: 'k', exists: true } as const] }
  expect(pointsFilter({ filter, modalities: ['image', 'image'] })).toEqual({
    must: [{ key: 'modality', match: { any: ['image'] } }, { should: [fact('e:"k"')] }],
  })
  expect(pointsFilter({ filter: {} })).toEqual({})
})

it('bears numbers, those in arrays too, as they are', () => {
  expect(filterFieldsOf({ n: [1.5, [-2]], s: 'x' }).numbers).toEqual([
    { key: 'n:"n"=', value: 1.5 },
    { key: 'n:"n"=', value: -2 },
  ])
  expect(filterFieldsOf(undefined)).toEqual({ facts: [], numbers: [] })
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      expect(unsortable(sortable(value))).toBe(value === 0 ? 0 : value)
    }),
  )
})
