/** What a filter means, said a second time and plainly: by walking the metadata along the key. */
import type { Condition, Filter } from '../../src/vectors/filter.ts'

export function accepts({ must = [], should = [], must_not = [] }: Filter, metadata: unknown): boolean {
  const holds = (condition: Condition) => holdsFor(condition, metadata)
  return must.every(holds) && (should.length === 0 || should.some(holds)) && !must_not.some(holds)
}

function holdsFor(condition: Condition, metadata: unknown): boolean {
  const values = valuesAt(metadata, condition.key)
  if ('exists' in condition) return values.length > 0 === condition.exists
  if ('range' in condition) {
    const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = condition.range
    const above = (x: number) => x >= gte && (condition.range.gt === undefined || x > gt)
    const below = (x: number) => x <= lte && (condition.range.lt === undefined || x < lt)
    return values.some((value) => typeof value === 'number' && above(value) && below(value))
  }
  const wanted = 'any' in condition.match ? condition.match.any : [condition.match.value]
  return values.some((value) => wanted.some((each) => each === value))
}

/** Everything but null that lies at the key; arrays stand for their elements. */
function valuesAt(value: unknown, key: string): unknown[] {
  if (value === null || value === undefined) return []
  if (Array.isArray(value)) return value.flatMap((element) => valuesAt(element, key))
  if (key === '') return [value]
  if (typeof value !== 'object') return []
  return Object.entries(value).flatMap(([name, member]) => {
    if (name === key) return valuesAt(member, '')
    return key.startsWith(`${name}.`) ? valuesAt(member, key.slice(name.length + 1)) : []
  })
}
