/** Files of a data set: annotations as JSON and CSV, checked, and media by their names wherever they lie. */
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { parse } from 'csv-parse/sync'
import type { z } from 'zod'
import { EvaluationError } from '../evaluation-error.ts'
import type { MediaKind } from './data-set.ts'

/** @throws EvaluationError if it cannot be read */
export async function readAnnotations(path: string): Promise<Buffer> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'There is no file' : `(${error.code}) One cannot read the file`
    throw new EvaluationError(`${why} ${path}; the data set's annotations were expected there (docs/evaluate.md).`)
  })
}

/** The first of several names that a folder has, for data sets that were published under more than one. @throws EvaluationError */
export async function firstOf(dir: string, ...names: string[]): Promise<string> {
  const there = new Set(await readdir(dir).catch(() => []))
  const found = names.find((name) => there.has(name))
  if (found !== undefined) return join(dir, found)
  throw new EvaluationError(`The folder ${dir} has none of ${names.join(', ')} (docs/evaluate.md).`)
}

/** @throws EvaluationError that says where the file is not as `schema` has it */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const bytes = await readAnnotations(path)
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new EvaluationError(`${path} is not valid JSON: ${(cause as Error).message}.`, { cause })
  }
  return checked(json, schema, path)
}

/** @throws EvaluationError */
export function checked<T>(value: unknown, schema: z.ZodType<T>, path: string): T {
  const { success, data, error } = schema.safeParse(value)
  if (success) return data
  const { path: at, message } = error.issues[0]!
  throw new EvaluationError(
    `${path} is not in the format that was expected: at ${at.join('.') || 'its top'}: ${message}.`,
  )
}

/**
 * Rows by their columns' names.
 * @param columns names of the columns of a file that has no heading; else those that its heading must have
 * @throws EvaluationError
 */
export async function readCsv<C extends string>(
  path: string,
  columns: readonly C[],
  { hasHeading = true } = {},
): Promise<Record<C, string>[]> {
  const text = await readAnnotations(path)
  let rows: Record<string, string>[]
  try {
    rows = parse(text, { columns: hasHeading ? true : [...columns], bom: true, skip_empty_lines: true, trim: true })
  } catch (cause) {
    throw new EvaluationError(`${path} is not valid CSV: ${(cause as Error).message}.`, { cause })
  }
  const lacking = columns.filter((column) => rows.length > 0 && rows[0]![column] === undefined)
  if (rows.length > 0 && lacking.length === 0) return rows as Record<C, string>[]
  const why = rows.length === 0 ? 'has no rows' : `lacks the columns ${lacking.join(', ')}`
  throw new EvaluationError(`${path} ${why}; expected are ${columns.join(', ')}.`)
}

const ENDINGS: Record<MediaKind, RegExp> = {
  image: /\.(png|jpe?g|webp|gif|avif|tiff?)$/i,
  audio: /\.(wav|flac|mp3|ogg|opus|m4a|aac)$/i,
}

/** Pictures or sounds below a folder, found by their names. Hidden files are not looked at. */
export class MediaFolder {
  readonly #byName = new Map<string, string>()
  /** What was asked for and is not there. */
  readonly missing: string[] = []

  private constructor(paths: readonly string[]) {
    for (const path of paths) {
      const name = path.split(/[\\/]/).at(-1)!
      for (const key of [name, name.slice(0, -extname(name).length)]) {
        if (!this.#byName.has(key)) this.#byName.set(key, path)
      }
    }
  }

  /** @throws EvaluationError if the folder cannot be read or holds no such media */
  static async open(dir: string, kind: MediaKind): Promise<MediaFolder> {
    const paths = await filesBelow(dir, ENDINGS[kind])
    if (paths.length > 0) return new MediaFolder(paths)
    throw new EvaluationError(`There is no ${kind === 'image' ? 'picture' : 'sound'} in ${dir} or below it.`)
  }

  /**
   * @param names under which it may lie, with their endings or without, the likeliest first
   * @returns undefined, and remembers it as missing, if it is not there
   */
  find(...names: [string, ...string[]]): string | undefined {
    const path = names.map((name) => this.#byName.get(name)).find((found) => found !== undefined)
    if (path === undefined) this.missing.push(names[0])
    return path
  }
}

/** Sorted, so that the same folder reads the same everywhere. @throws EvaluationError */
export async function filesBelow(dir: string, endings: RegExp): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new EvaluationError(`The folder ${dir} cannot be read (${error.code}).`)
  })
  const paths: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const path = join(dir, entry.name)
    // Data sets are often links to where there is room.
    if (entry.isDirectory()) paths.push(...(await filesBelow(path, endings)))
    else if (endings.test(entry.name)) paths.push(path)
    else if (entry.isSymbolicLink()) paths.push(...(await filesBelow(path, endings).catch(() => [])))
  }
  return paths
}

/** `word_with_bars` → `word with bars`, as words of a sentence. */
export const inWords = (label: string): string => label.replaceAll('_', ' ').trim()
