/**
 * A filter as Qdrant's own, over two fields that each point bears beside its payload:
 *
 *   facts    ["e:<key>", "s:<key>=<JSON string>", "n:<key>=<16 hex digits>", …]     the facts of facts.ts, as keywords
 *   numbers  [{ key: "n:<key>=", value: 1.5 }, …]                                   the numbers once more, for ranges
 *
 * Qdrant's paths into metadata would not do: they cannot name a key with a dot or a quote as the contract does, do not look
 * into arrays in arrays, and `match` takes no fractions. Facts are compared whole, so every condition is exact.
 */
import type { Modality } from '../modality.ts'
import { existsFact, factsOf, numberPrefix, SEPARATOR, scalarFact, unsortable } from './facts.ts'
import type { Condition, Filter, Range } from './filter.ts'

const HEX_DIGITS = 16

export type QdrantCondition =
  | { key: string; match: { value: string | number } | { any: string[] } }
  | { key: string; range: Record<string, number> }
  | { has_vector: string }
  | { nested: { key: string; filter: QdrantFilter } }
  | QdrantFilter

export interface QdrantFilter {
  must?: QdrantCondition[]
  should?: QdrantCondition[]
  must_not?: QdrantCondition[]
}

export interface FilterFields {
  facts: string[]
  numbers: { key: string; value: number }[]
}

/** What a point bears so that filters find it. */
export function filterFieldsOf(metadata: unknown): FilterFields {
  const facts = factsOf(metadata).split(SEPARATOR).filter(Boolean)
  const numbers = facts
    .filter((fact) => fact.startsWith('n:'))
    .map((fact) => ({ key: fact.slice(0, -HEX_DIGITS), value: unsortable(fact.slice(-HEX_DIGITS)) }))
  return { facts, numbers }
}

/** No fact is the empty string. */
const NEVER: QdrantCondition = { key: 'facts', match: { value: '' } }

/** Empty lists are left out: to Qdrant and to us they ask nothing. */
export function qdrantFilter({ must = [], should = [], must_not = [] }: Filter): QdrantFilter {
  return {
    ...(must.length > 0 && { must: must.map(conditionOf) }),
    ...(should.length > 0 && { should: should.map(conditionOf) }),
    ...(must_not.length > 0 && { must_not: must_not.map(conditionOf) }),
  }
}

function conditionOf(condition: Condition): QdrantCondition {
  if ('range' in condition) return rangeOf(condition)
  if ('exists' in condition) {
    const exists = hasFact(existsFact(condition.key))
    return condition.exists ? exists : { must_not: [exists] }
  }
  const { key, match } = condition
  if ('value' in match) return hasFact(scalarFact(key, match.value))
  if (match.any.length === 0) return NEVER
  return { key: 'facts', match: { any: [...new Set(match.any.map((value) => scalarFact(key, value)))] } }
}

const hasFact = (fact: string): QdrantCondition => ({ key: 'facts', match: { value: fact } })

/** Nested, so that the bounds hold for one number and not each for another; without bounds any number will do. */
function rangeOf({ key, range }: Range): QdrantCondition {
  const bounds = Object.entries(range).filter((bound): bound is [string, number] => bound[1] !== undefined)
  const must: QdrantCondition[] = [{ key: 'key', match: { value: numberPrefix(key) } }]
  if (bounds.length > 0) must.push({ key: 'value', range: Object.fromEntries(bounds) })
  return { nested: { key: 'numbers', filter: { must } } }
}

/** Points an item's filter and modalities accept, and that hold for `also`. */
export function pointsFilter(
  { filter, modalities }: { filter?: Filter | undefined; modalities?: readonly Modality[] | undefined },
  ...also: QdrantCondition[]
): QdrantFilter {
  const must = [...also]
  if (modalities) must.push({ key: 'modality', match: { any: [...new Set(modalities)] } })
  const wanted = filter && qdrantFilter(filter)
  if (wanted && Object.keys(wanted).length > 0) must.push(wanted)
  return must.length > 0 ? { must } : {}
}
