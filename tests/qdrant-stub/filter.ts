/** Qdrant's filters as its documentation tells them, as far as our adapter uses them; anything else is an error. */

type Json = Record<string, unknown>

export class Unsupported extends Error {}

/** What a filter looks at; elements of nested lists have neither id nor vectors. */
interface Subject {
  id?: string
  vectors?: string[]
  payload: Json
}

export function accepts(filter: unknown, subject: Subject): boolean {
  const { must, should, must_not, ...other } = (filter ?? {}) as Json
  refuseOthers(other)
  const holds = (condition: unknown) => holdsFor(condition as Json, subject)
  const any = listOf(should)
  return listOf(must).every(holds) && (any.length === 0 || any.some(holds)) && !listOf(must_not).some(holds)
}

function holdsFor(condition: Json, subject: Subject): boolean {
  const { payload } = subject
  if ('nested' in condition) {
    const { key, filter } = condition.nested as { key: string; filter: unknown }
    return elementsOf(payload[key]).some((element) => accepts(filter, { payload: element as Json }))
  }
  if ('has_id' in condition) return (condition.has_id as unknown[]).includes(subject.id)
  if ('has_vector' in condition) return subject.vectors?.includes(String(condition.has_vector)) ?? false
  if (!('key' in condition)) return accepts(condition, subject)
  const { key, match, range, ...other } = condition
  refuseOthers(other)
  const values = elementsOf(payload[key as string])
  if (match) return values.some((value) => matches(match as Json, value))
  return values.some((value) => typeof value === 'number' && within(range as Record<string, number>, value))
}

function matches({ value, any, ...other }: Json, given: unknown): boolean {
  refuseOthers(other)
  if (typeof value === 'number' && !Number.isInteger(value)) throw new Unsupported('match takes no fractions')
  return any === undefined ? value === given : (any as unknown[]).includes(given)
}

function within({ gt, gte, lt, lte }: Record<string, number>, value: number): boolean {
  return (
    !(gt !== undefined && value <= gt) &&
    !(gte !== undefined && value < gte) &&
    !(lt !== undefined && value >= lt) &&
    !(lte !== undefined && value > lte)
  )
}

const elementsOf = (value: unknown): unknown[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value]

const listOf = (value: unknown): unknown[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value]

function refuseOthers(other: Json): void {
  const [stray] = Object.keys(other)
  if (stray !== undefined) throw new Unsupported(`the stub knows no '${stray}' in filters`)
}
