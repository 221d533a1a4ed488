/**
 * What a filter can ask of an item's metadata, as one string that SQL can search:
 *
 *   SEP "e:<key>" SEP "s:<key>=<JSON string>" SEP "b:<key>=true" SEP "n:<key>=<16 hex digits>" SEP "m:<key>" SEP …
 *
 * A key is the JSON string of the path of object keys joined by dots, so neither keys nor values can hold SEP (a control
 * character, which JSON escapes). Elements of arrays are facts of the array's own key. Numbers are written so that their order
 * as text is their order as numbers; a key of several different numbers has an `m:` fact besides, as ranges find the first quickly.
 */
import type { Scalar } from './filter.ts'

/** UTF-16 units of a key, and of a string, beyond which the contract lets nobody ask: facts of such would only take room. */
const MAX_KEY_UNITS = 512
const MAX_TEXT_UNITS = 2048

const NUMBER = 'n:'
const HEX_DIGITS = 16

/** Counts the changes of what stands in them; tables say which they have. */
export const FACTS_VERSION = 2

export const SEPARATOR = '\u0001'

/** @returns '' for what has no facts */
export function factsOf(metadata: unknown): string {
  const facts = new Set(isObject(metadata) ? membersOf(metadata, '') : [])
  for (const key of keysOfManyNumbers([...facts])) facts.add(manyFact(key))
  return facts.size === 0 ? '' : SEPARATOR + [...facts].join(SEPARATOR) + SEPARATOR
}

/** As JSON. */
function* keysOfManyNumbers(facts: readonly string[]): Generator<string> {
  const seen = new Set<string>()
  for (const fact of facts.filter((each) => each.startsWith(NUMBER))) {
    const key = fact.slice(NUMBER.length, -(1 + HEX_DIGITS))
    if (seen.has(key)) yield key
    seen.add(key)
  }
}

function* membersOf(value: object, prefix: string): Generator<string> {
  for (const [key, member] of Object.entries(value)) yield* factsAt(member, prefix + key)
}

function* factsAt(value: unknown, key: string): Generator<string> {
  if (key.length > MAX_KEY_UNITS) return
  if (value === null || (Array.isArray(value) && value.length === 0)) return
  // JSON's 1e999 is read as Infinity and kept as null: the facts say what is kept.
  if (typeof value === 'number' && !Number.isFinite(value)) return
  if (Array.isArray(value)) {
    for (const element of value) yield* factsAt(element, key)
    return
  }
  yield existsFact(key)
  if (isObject(value)) yield* membersOf(value, `${key}.`)
  else if (typeof value !== 'string' || value.length <= MAX_TEXT_UNITS) yield scalarFact(key, value as Scalar)
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const existsFact = (key: string): string => `e:${JSON.stringify(key)}`

export function scalarFact(key: string, value: Scalar): string {
  if (typeof value === 'number') return numberPrefix(key) + sortable(value)
  return `${typeof value === 'string' ? 's' : 'b'}:${JSON.stringify(key)}=${JSON.stringify(value)}`
}

export const numberPrefix = (key: string): string => `${NUMBER}${JSON.stringify(key)}=`

/** @param key as JSON */
export const manyFact = (key: string): string => `m:${key}`

/** 64 bits of IEEE 754 as hex: of positive numbers the sign bit set, of negative ones all bits turned. -0 is 0. */
export function sortable(value: number): string {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value === 0 ? 0 : value)
  const bits = view.getBigUint64(0)
  const sign = 1n << 63n
  const ordered = bits & sign ? ~bits & (sign | (sign - 1n)) : bits | sign
  return ordered.toString(16).padStart(HEX_DIGITS, '0')
}

/** The number that `sortable` wrote. */
export function unsortable(hex: string): number {
  const ordered = BigInt(`0x${hex}`)
  const sign = 1n << 63n
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, ordered & sign ? ordered ^ sign : ~ordered & ((sign << 1n) - 1n))
  return view.getFloat64(0)
}
