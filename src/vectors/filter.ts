/**
 * The one grammar of filters, the contract's own (`Filter` in openapi.yaml), compiled by each adapter for its store. A
 * condition looks at an item's metadata: `key` is a path of object keys joined by dots.
 *
 *   filter    = { must?, should?, must_not? }      all of must, at least one of should (if there are any), none of must_not
 *   condition = match value | match any | range | exists
 *
 * Where a value is an array, a condition holds if it holds for one of its elements. A condition of another JSON type than the
 * value does not hold: the number 1 is neither "1" nor true. null and a missing key are alike: neither exists.
 */

export type Scalar = string | number | boolean

export interface Match {
  key: string
  match: { value: Scalar } | { any: Scalar[] }
}

export interface Range {
  key: string
  /** At least one bound; all given must hold. Numbers only. */
  range: { gt?: number | undefined; gte?: number | undefined; lt?: number | undefined; lte?: number | undefined }
}

export interface Exists {
  key: string
  exists: boolean
}

export type Condition = Match | Range | Exists

export interface Filter {
  must?: Condition[] | undefined
  should?: Condition[] | undefined
  must_not?: Condition[] | undefined
}
