/**
 * One file from the web. It grows as `<file>.part`, beside which `<file>.part.json` says of which version it is (RFC 9110 §8.8: a
 * strong ETag, else the date of the last change); a broken connection, or the next run, asks for the rest of that version only.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The file cannot be had; the message says why and what to do. */
export class DownloadError extends Error {
  override name = 'DownloadError'
}

export interface DownloadOptions {
  /** What its SHA-256 must be, lower-case hex; unchecked if absent. */
  sha256?: string | undefined
  signal?: AbortSignal
  /** @param total undefined where the server does not say */
  onProgress?(bytes: number, total: number | undefined): void
  /** Before the first try after a failure; it doubles with each that brings nothing. */
  firstWaitMs?: number
}

export interface Downloaded {
  bytes: number
  sha256: string
  /** Whether it was there before. */
  wasThere: boolean
}

/** Tries in a row that bring no byte. */
const FRUITLESS_TRIES = 5
/** A server that sends nothing for so long is gone. */
const SILENCE_MS = 60_000
const FIRST_WAIT_MS = 1000
const MAX_WAIT_MS = 60_000

/** @throws DownloadError; the reason of the signal */
export async function download(url: string, path: string, options: DownloadOptions = {}): Promise<Downloaded> {
  const there = await stat(path).catch(() => undefined)
  if (there) return { ...(await checked(path, path, options)), wasThere: true }
  await mkdir(dirname(path), { recursive: true })
  await fetchWhole(url, `${path}.part`, options)
  const result = await checked(`${path}.part`, path, options)
  await rename(`${path}.part`, path)
  await rm(`${path}.part.json`, { force: true })
  return { ...result, wasThere: false }
}

async function fetchWhole(url: string, part: string, options: DownloadOptions): Promise<void> {
  const { firstWaitMs = FIRST_WAIT_MS, signal } = options
  for (let fruitless = 0; ; fruitless++) {
    const before = await sizeOf(part)
    const failure = await tryOnce(url, part, options)
    if (failure === undefined) return
    signal?.throwIfAborted()
    if ((await sizeOf(part)) > before) fruitless = 0
    if (failure.isFinal || fruitless >= FRUITLESS_TRIES) throw new DownloadError(failure.message)
    await sleep(failure.waitMs ?? Math.min(MAX_WAIT_MS, firstWaitMs * 2 ** fruitless), undefined, { signal })
  }
}

interface Failure {
  message: string
  /** Whether another try makes no sense. */
  isFinal?: boolean
  waitMs?: number | undefined
}

async function tryOnce(
  url: string,
  part: string,
  { signal, onProgress }: DownloadOptions,
): Promise<Failure | undefined> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), SILENCE_MS)
  let at = await sizeOf(part)
  try {
    const version = await versionOf(url, part)
    if (version === undefined) at = 0
    const range = at > 0 ? { range: `bytes=${at}-`, 'if-range': version! } : {}
    const response = await fetch(url, {
      headers: { 'accept-encoding': 'identity', ...range },
      signal: AbortSignal.any([silence.signal, ...(signal ? [signal] : [])]),
    })
    if (response.status === 416) return await startOver(url, part)
    if (!response.ok || response.body === null) return refusalOf(url, response)
    if (response.status !== 206) at = 0
    const total = totalOf(response, at)
    if (total !== undefined) await assertRoom(part, total - at)
    await noteVersion(url, part, response)
    const file = await open(part, at > 0 ? 'r+' : 'w')
    try {
      for await (const chunk of response.body) {
        timer.refresh()
        await writeAll(file, chunk, at)
        at += chunk.length
        onProgress?.(at, total)
      }
      await file.sync()
    } finally {
      await file.close()
    }
    return total === undefined || at === total ? undefined : { message: brokenOff(url, at) }
  } catch (error) {
    if (error instanceof DownloadError) return { message: error.message, isFinal: true }
    if ((error as NodeJS.ErrnoException).syscall === 'write')
      return { message: (error as Error).message, isFinal: true }
    return { message: `${brokenOff(url, at)} (${causeOf(error)})` }
  } finally {
    clearTimeout(timer)
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten
  }
}

/** The server has less than we have of it. */
async function startOver(url: string, part: string): Promise<Failure> {
  await rm(part, { force: true })
  return { message: `${url} has another length than before.`, waitMs: 0 }
}

function refusalOf(url: string, response: Response): Failure {
  const message = `${url} answered ${response.status} ${response.statusText}.`.replace(' .', '.')
  const isFinal = response.status !== 429 && response.status < 500
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return { message, isFinal, waitMs: Number.isFinite(seconds) ? Math.min(MAX_WAIT_MS, seconds * 1000) : undefined }
}

/** Bytes of the whole file; what the rest is measured by. @throws DownloadError if a part came that was not asked for */
function totalOf({ status, headers }: Response, at: number): number | undefined {
  if (status !== 206) return headers.has('content-length') ? Number(headers.get('content-length')) : undefined
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? []
  if (Number(start) === at) return Number(total)
  throw new DownloadError(
    `The server sent another part of the file than was asked for (${headers.get('content-range')}).`,
  )
}

/** @returns undefined if what is there is of an unknown version, or of another address */
async function versionOf(url: string, part: string): Promise<string | undefined> {
  const text = await readFile(`${part}.json`, 'utf8').catch(() => '{}')
  try {
    const known = JSON.parse(text) as { url?: string; version?: string }
    return known.url === url ? known.version : undefined
  } catch {
    return undefined
  }
}

async function noteVersion(url: string, part: string, { headers }: Response): Promise<void> {
  const etag = headers.get('etag')
  const version = etag && !etag.startsWith('W/') ? etag : headers.get('last-modified')
  await writeFile(`${part}.json`, JSON.stringify({ url, ...(version && { version }) }))
}

async function assertRoom(part: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(part))
  if (bavail * bsize > needed) return
  const missing = ((needed - bavail * bsize) / 1e9).toFixed(1)
  throw new DownloadError(`The disk of ${dirname(part)} has no room for it: ${missing} GB are missing.`)
}

async function checked(file: string, path: string, { sha256 }: DownloadOptions): Promise<Omit<Downloaded, 'wasThere'>> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  const found = hash.digest('hex')
  if (sha256 === undefined || found === sha256) return { bytes: await sizeOf(file), sha256: found }
  if (file === path)
    throw new DownloadError(
      `${path} is there, but its SHA-256 is ${found}, not ${sha256}. Move it away to get it anew.`,
    )
  await rm(file, { force: true })
  throw new DownloadError(`What came for ${path} has the SHA-256 ${found}, not ${sha256}; it is not kept.`)
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}

const brokenOff = (url: string, at: number): string =>
  `The connection to ${new URL(url).host} broke off after ${at} bytes; the same command goes on from there.`

function causeOf(error: unknown): string {
  const { cause, message } = error as Error
  return (cause as { code?: string } | undefined)?.code ?? message
}
