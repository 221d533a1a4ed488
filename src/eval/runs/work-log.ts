/**
 * What has been answered already, kept in a file as it comes, so that the same command goes on after a kill.
 *
 *   ["text|a dog", "8J6B…"]\n    a line an answer, as JSON: its key and its value
 *
 * A kill may leave half a line at the end; it is cut off and asked again. What a file is about stands in its name.
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Serial } from '../../serial.ts'
import { EvaluationError } from '../evaluation-error.ts'

const NEWLINE = 0x0a

export class WorkLog {
  readonly #file: FileHandle
  readonly #answers: Map<string, unknown>
  readonly #writing = new Serial()

  private constructor(file: FileHandle, answers: Map<string, unknown>) {
    this.#file = file
    this.#answers = answers
  }

  /** @throws EvaluationError if the file holds something else */
  static async open(path: string): Promise<WorkLog> {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(path, 'a+')
    try {
      const bytes = await file.readFile()
      const whole = bytes.lastIndexOf(NEWLINE) + 1
      const answers = new Map(linesOf(bytes.subarray(0, whole), path))
      if (whole < bytes.length) await file.truncate(whole)
      return new WorkLog(file, answers)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  has(key: string): boolean {
    return this.#answers.has(key)
  }

  get(key: string): unknown {
    return this.#answers.get(key)
  }

  async put(entries: readonly (readonly [key: string, value: unknown])[]): Promise<void> {
    const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
    await this.#writing.run(() => this.#file.appendFile(lines))
    for (const [key, value] of entries) this.#answers.set(key, value)
  }

  async close(): Promise<void> {
    await this.#writing.drained()
    await this.#file.close()
  }
}

function* linesOf(bytes: Buffer, path: string): Generator<[string, unknown]> {
  for (let from = 0; from < bytes.length; ) {
    const to = bytes.indexOf(NEWLINE, from)
    yield entryOf(bytes.toString('utf8', from, to), path)
    from = to + 1
  }
}

function entryOf(line: string, path: string): [string, unknown] {
  try {
    const [key, value, ...rest] = JSON.parse(line) as unknown[]
    if (typeof key === 'string' && value !== undefined && rest.length === 0) return [key, value]
  } catch {
    // told below
  }
  throw new EvaluationError(`${path} is not a record of answers; remove it, or name another folder with --work.`)
}
