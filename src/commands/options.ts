/** Values of flags that several commands have. */
import type { Filter } from 'onepeace-client'
import { ConfigError } from '../config.ts'

/** @throws ConfigError */
export function countOf(flag: string, text: string, most: number): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (count >= 1 && count <= most) return count
  throw new ConfigError(`${flag} must be a whole number from 1 to ${most}, not '${text}'.`)
}

/** What it may hold, the service says. @throws ConfigError if it is no JSON */
export function filterOf(text: string): Filter {
  try {
    return JSON.parse(text)
  } catch {
    throw new ConfigError(
      `--filter must be JSON, such as '{"must": [{"key": "folder", "match": {"value": "animals"}}]}'.`,
    )
  }
}

/** Several values in one, separated by commas. */
export function listOf(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
}
