/**
 * Jobs in an object store:
 *
 *   jobs/<tenant>/<id>                    what was asked for; once it is there, the job exists
 *   sources/<source>/0000012              a part: the number of its first line, then its lines as they came; gone when the job ends
 *   progress/<tenant>/<id>/started        when its first part was begun
 *                         /done/0000012.250.6   a part that is done: 250 lines kept, 6 failed, which are told in it
 *                         /trying/0000012 the line that a worker tries by itself, as earlier ones ended within the part
 *                         /result         what a deferred request is answered with
 *                         /end            how and when it ended
 *   open/<tenant>.<id>                    jobs that have not ended, so that they are found without a look at all others
 *
 * A part's outcome has its counts in its name: a listing tells how far a job is. Should a part be done twice, at once even, the first by
 * name counts, for everyone who looks.
 */
import { Gate } from '../gate.ts'
import { type ObjectStore, told } from '../objects/object-store.ts'

export type JobKind = 'import' | 'embeddings' | 'item'

/** Never changes. */
export interface JobRequest {
  /** A UUID that sorts by time. */
  id: string
  tenant: string
  kind: JobKind
  /** Where items go. */
  collection?: string
  /** ISO 8601, UTC; that of its items, too. */
  createdAt: string
  source: string
  parts: number
  lines: number
}

/** Why a line is not kept: an error's code, sentence and findings, as a problem tells them. */
export interface LineFailure {
  code: string
  detail: string
  errors?: { pointer?: string; detail: string }[]
}

export interface FailedLine {
  /** Among all lines of the job, from 0. */
  line: number
  /** If the line gave one. */
  id?: string
  failure: LineFailure
}

export interface PartOutcome {
  succeeded: number
  failed: readonly FailedLine[]
}

export type EndState = 'completed' | 'failed' | 'cancelled'

export interface JobEnd extends LineCounts {
  state: EndState
  /** ISO 8601, UTC. */
  at: string
}

export interface Part {
  /** Where it stands in the job. */
  firstLine: number
  /** Without newlines. */
  lines: readonly Uint8Array[]
}

export interface OpenJob {
  tenant: string
  id: string
}

/** A line that is tried by itself, and how often it was. */
export interface Trying {
  line: number
  tries: number
}

/** Lines by how they ended. */
export interface LineCounts {
  succeeded: number
  failed: number
}

interface DonePart extends LineCounts {
  part: number
  key: string
}

export class JobRecords {
  readonly #objects: ObjectStore

  constructor(objects: ObjectStore) {
    this.#objects = objects
  }

  async putPart(source: string, part: number, { firstLine, lines }: Part): Promise<void> {
    const newline = Uint8Array.of(NEWLINE)
    const head = Buffer.from(`${firstLine}\n`)
    await this.#write(partKey(source, part), Buffer.concat([head, ...lines.flatMap((line) => [line, newline])]))
  }

  async getPart(source: string, part: number): Promise<Part | undefined> {
    const bytes = await this.#read(partKey(source, part))
    if (bytes === undefined) return undefined
    const [head, ...lines] = linesIn(bytes)
    return { firstLine: Number(head), lines }
  }

  async deleteSource(source: string): Promise<void> {
    await this.#deleteAll(`sources/${source}/`)
  }

  /** The job exists, and is found as one that has not ended, once this resolves. */
  async create(job: JobRequest): Promise<void> {
    await this.#write(openKey(job), '')
    await this.#put(requestKey(job), job)
  }

  get(job: OpenJob): Promise<JobRequest | undefined> {
    return this.#get(requestKey(job))
  }

  /** Ids of a tenant's jobs, oldest first. */
  async ids(tenant: string): Promise<string[]> {
    return (await this.#keys(`jobs/${tenant}/`)).map((key) => key.split('/')[2]!)
  }

  /** Jobs of all tenants. */
  async all(): Promise<OpenJob[]> {
    return (await this.#keys('jobs/')).map((key) => {
      const [, tenant, id] = key.split('/')
      return { tenant: tenant!, id: id! }
    })
  }

  /** Those that have not ended, or are just being made. @param tenant all tenants' if absent */
  async open(tenant?: string): Promise<OpenJob[]> {
    const keys = await this.#keys(tenant === undefined ? 'open/' : `open/${tenant}.`)
    return keys.map((key) => {
      const [of = '', id = ''] = key.slice('open/'.length).split('.')
      return { tenant: of, id }
    })
  }

  async start(job: OpenJob): Promise<void> {
    const key = `${folderOf(job)}started`
    if ((await this.#read(key)) === undefined) await this.#put(key, { at: new Date().toISOString() })
  }

  /** When its first part was begun. */
  async startedAt(job: OpenJob): Promise<string | undefined> {
    return (await this.#get<{ at: string }>(`${folderOf(job)}started`))?.at
  }

  async finishPart(job: OpenJob, part: number, outcome: PartOutcome): Promise<void> {
    const { succeeded, failed } = outcome
    await this.#put(`${doneFolderOf(job)}${numbered(part)}.${succeeded}.${failed.length}`, failed)
  }

  /** Parts that are done, by number. */
  async doneParts(job: OpenJob): Promise<DonePart[]> {
    const folder = doneFolderOf(job)
    const parts: DonePart[] = []
    for (const key of await this.#keys(folder)) {
      const [part = 0, succeeded = 0, failed = 0] = key.slice(folder.length).split('.').map(Number)
      if (parts.at(-1)?.part !== part) parts.push({ part, succeeded, failed, key })
    }
    return parts
  }

  async isDone(job: OpenJob, part: number): Promise<boolean> {
    return (await this.#keys(`${doneFolderOf(job)}${numbered(part)}.`)).length > 0
  }

  /** Which lines of a part failed. */
  async failedLines({ key }: Pick<DonePart, 'key'>): Promise<FailedLine[]> {
    return (await this.#get<FailedLine[]>(key)) ?? []
  }

  async setTrying(job: OpenJob, part: number, trying: Trying): Promise<void> {
    await this.#put(`${folderOf(job)}trying/${numbered(part)}`, trying)
  }

  getTrying(job: OpenJob, part: number): Promise<Trying | undefined> {
    return this.#get(`${folderOf(job)}trying/${numbered(part)}`)
  }

  async putResult(job: OpenJob, result: unknown): Promise<void> {
    await this.#put(`${folderOf(job)}result`, result)
  }

  /** @returns JSON */
  getResult(job: OpenJob): Promise<unknown> {
    return this.#get(`${folderOf(job)}result`)
  }

  /** The end, after which it is no longer open, and what it was made of is gone. Of several ends the first stays. */
  async end(job: JobRequest, end: JobEnd): Promise<void> {
    await told(UNWRITTEN, this.#objects.create(`${folderOf(job)}end`, JSON.stringify(end)))
    await this.close(job)
  }

  /** What is left to do once the end is written. */
  async close(job: Pick<JobRequest, 'tenant' | 'id' | 'source'>): Promise<void> {
    await this.deleteSource(job.source)
    await this.#deleteAll(`${folderOf(job)}trying/`)
    await this.#delete(openKey(job))
  }

  getEnd(job: OpenJob): Promise<JobEnd | undefined> {
    return this.#get(`${folderOf(job)}end`)
  }

  async delete(job: OpenJob): Promise<void> {
    await this.#delete(requestKey(job))
    await this.#deleteAll(folderOf(job))
    await this.#delete(openKey(job))
  }

  /** Names of all sources. */
  async sources(): Promise<Set<string>> {
    return new Set((await this.#keys('sources/')).map((key) => key.split('/')[1]!))
  }

  async #get<T>(key: string): Promise<T | undefined> {
    const bytes = await this.#read(key)
    return bytes && (JSON.parse(bytes.toString()) as T)
  }

  #put(key: string, value: unknown): Promise<void> {
    return this.#write(key, JSON.stringify(value))
  }

  #write(key: string, bytes: Uint8Array | string): Promise<void> {
    return told(UNWRITTEN, this.#objects.put(key, bytes))
  }

  #read(key: string): Promise<Buffer | undefined> {
    return told('The record of a job could not be read', this.#objects.get(key))
  }

  #delete(key: string): Promise<void> {
    return told('The record of a job could not be deleted', this.#objects.delete(key))
  }

  async #deleteAll(prefix: string): Promise<void> {
    const gate = new Gate(DELETES_AT_ONCE)
    await Promise.all((await this.#keys(prefix)).map((key) => gate.run(() => this.#delete(key))))
  }

  /** In code point order. */
  #keys(prefix: string): Promise<string[]> {
    const listed = async () => {
      const keys: string[] = []
      for await (const { key } of this.#objects.list(prefix)) keys.push(key)
      return keys.sort()
    }
    return told('The records of jobs could not be listed', listed())
  }
}

const NEWLINE = 0x0a
/** In a bucket each takes a round trip, and a job of a million lines has thousands of parts. */
const DELETES_AT_ONCE = 16
const UNWRITTEN = 'The record of a job could not be written'

function linesIn(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, start)
    lines.push(bytes.subarray(start, end))
    start = end + 1
  }
  return lines
}

const requestKey = ({ tenant, id }: OpenJob): string => `jobs/${tenant}/${id}`
const folderOf = ({ tenant, id }: OpenJob): string => `progress/${tenant}/${id}/`
const doneFolderOf = (job: OpenJob): string => `${folderOf(job)}done/`
const openKey = ({ tenant, id }: OpenJob): string => `open/${tenant}.${id}`
const partKey = (source: string, part: number): string => `sources/${source}/${numbered(part)}`

/** Of several parts together. */
export function sumOf(parts: readonly LineCounts[]): LineCounts {
  const sum = { succeeded: 0, failed: 0 }
  for (const { succeeded, failed } of parts) {
    sum.succeeded += succeeded
    sum.failed += failed
  }
  return sum
}

/** As text that sorts as the number does. */
function numbered(part: number): string {
  return String(part).padStart(7, '0')
}

/** When something was named, by its UUID of version 7; ms since 1970. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}
