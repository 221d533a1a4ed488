/**
 * Values for LanceDB's SQL predicates (DataFusion's PostgreSQL-like dialect, where a string literal knows no escapes but
 * the doubled quote). Ids are strings of users: no predicate is built but through this file.
 */

/** NUL, and surrogates that are not half of a pair. */
const UNSTORABLE = /[\0\p{Cs}]/u

/** @returns the string as a literal: quotes doubled. NUL and lone surrogates cannot travel and are refused. */
export function sqlString(value: string): string {
  if (UNSTORABLE.test(value)) {
    throw new RangeError('A string with NUL or a lone surrogate cannot be stored.')
  }
  return `'${value.replaceAll("'", "''")}'`
}

/** `column IN ('a', 'b')`; an empty list matches nothing. */
export function sqlIn(column: string, values: readonly string[]): string {
  return values.length === 0 ? 'false' : `${column} IN (${values.map(sqlString).join(', ')})`
}
