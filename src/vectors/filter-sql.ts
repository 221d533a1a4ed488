/**
 * A filter as a predicate of LanceDB's SQL over the `facts` column (facts.ts). Every condition is exact: equality is a search
 * for one delimited fact, a range compares what follows the first number of a key, and only where a key has several numbers
 * a regular expression looks at all of them: SQL passes over it where no row has.
 */
import { existsFact, manyFact, numberPrefix, SEPARATOR, scalarFact, sortable } from './facts.ts'
import type { Condition, Filter, Range } from './filter.ts'
import { sqlString } from './sql.ts'

/** @returns `undefined` for a filter that asks nothing. @throws RangeError for strings that cannot be stored */
export function filterSql({ must = [], should = [], must_not = [] }: Filter): string | undefined {
  const all = must.map(conditionSql)
  if (should.length > 0) all.push(`(${should.map(conditionSql).join(' OR ')})`)
  all.push(...must_not.map((condition) => `NOT ${conditionSql(condition)}`))
  return all.length > 0 ? all.join(' AND ') : undefined
}

function conditionSql(condition: Condition): string {
  if ('range' in condition) return rangeSql(condition)
  if ('exists' in condition)
    return condition.exists ? has(existsFact(condition.key)) : `NOT ${has(existsFact(condition.key))}`
  const values = 'any' in condition.match ? condition.match.any : [condition.match.value]
  if (values.length === 0) return 'false'
  return `(${values.map((value) => has(scalarFact(condition.key, value))).join(' OR ')})`
}

const has = (fact: string): string => `(strpos(facts, ${sqlString(SEPARATOR + fact + SEPARATOR)}) > 0)`

/** Bounds as the least and greatest number that satisfy them. */
function rangeSql({ key, range }: Range): string {
  const { gt, gte, lt, lte } = range
  const low = Math.max(gte ?? -Infinity, gt === undefined ? -Infinity : next(gt))
  const high = Math.min(lte ?? Infinity, lt === undefined ? Infinity : -next(-lt))
  if (low > high) return 'false'
  const [from, to] = [sortable(low), sortable(high)]
  const number = SEPARATOR + numberPrefix(key)
  // What follows goes on with a separator, the least of all characters there are.
  const first = `split_part(facts, ${sqlString(number)}, 2)`
  const isAbove = `${first} >= ${sqlString(from)}`
  // The upper bound first: SQL looks at the second only where few rows pass, and `from 0` and the like are passed by all.
  const isWithin = high === Infinity ? isAbove : `(${first} <= ${sqlString(to + AFTER)} AND ${isAbove})`
  const isAnyWithin = `regexp_like(facts, ${sqlString(escaped(number) + between(from, to))})`
  return `(${isWithin} OR (${has(manyFact(JSON.stringify(key)))} AND ${isAnyWithin}))`
}

/** Greater than the separator. */
const AFTER = '\u0002'

/** The least number above. */
function next(value: number): number {
  if (value === Infinity) return Infinity
  if (value === -Infinity) return -Number.MAX_VALUE
  if (value === 0) return Number.MIN_VALUE
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? 1n : -1n))
  return view.getFloat64(0)
}

/**
 * A pattern for how hex strings from `low` to `high`, both of one length and included, begin. All numbers have as many digits,
 * so where the first of them decide, the others need not be looked at:
 *   their common digits, then  low's digit and a tail ≥ low's | digits between | high's digit and a tail ≤ high's
 */
function between(low: string, high: string): string {
  let common = 0
  while (common < low.length && low[common] === high[common]) common++
  const prefix = low.slice(0, common)
  if (common === low.length) return prefix
  const [a, b] = [digit(low, common), digit(high, common)]
  const ways = [low[common] + tail(low.slice(common + 1), 'up'), high[common] + tail(high.slice(common + 1), 'down')]
  if (b - a > 1) ways.push(oneOf(a + 1, b - 1))
  return `${prefix}(?:${ways.join('|')})`
}

/** Tails not below (`up`) or not above (`down`) the given one: all, where it ends as round numbers and those next to them do. */
function tail(bound: string, way: 'up' | 'down'): string {
  if ((way === 'up' ? /^0*$/ : /^f*$/).test(bound)) return ''
  const here = digit(bound, 0)
  const ways = [bound[0] + tail(bound.slice(1), way)]
  if (way === 'up' && here < 15) ways.push(oneOf(here + 1, 15))
  if (way === 'down' && here > 0) ways.push(oneOf(0, here - 1))
  return ways.length === 1 ? ways[0]! : `(?:${ways.join('|')})`
}

const digit = (hex: string, at: number): number => Number.parseInt(hex[at]!, 16)
const oneOf = (from: number, to: number): string => `[${'0123456789abcdef'.slice(from, to + 1)}]`
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|#&~-]/g, '\\$&')
