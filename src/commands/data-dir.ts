/**
 * The data folder: known by a marker, used by one process at a time.
 *
 *   <dir>/onepeace-data.json   marker with the layout's version; a folder with other things and no marker is not ours
 *   <dir>/lock                 who uses it: host, process, when that process began, and a sign of life (its mtime)
 *   <dir>/keys.json            the keys' hashes, needing no lock (src/auth/)
 *   <dir>/vectors/  <dir>/blobs/          the embedded store and the originals of its items
 *   <dir>/journal/                        writes under an Idempotency-Key
 *   <dir>/uploads/                        files that came ahead of the requests that use them
 *   <dir>/jobs/  <dir>/queue/             jobs and their lines; the order in which they are done
 *   <dir>/scratch/                        what libraries need for a while; emptied at the start
 *   <dir>/qdrant-blobs/                   the originals of items whose vectors are on a Qdrant server
 *
 * A lock outlives `kill -9`, so one is taken over when its holder is proven gone: on this host, no such process, or one
 * that began later under the same number; from another host (a container that is no more), no sign of life for a while.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { replaceDurably } from '../durable.ts'
import { openScratch } from './scratch.ts'

const MARKER = 'onepeace-data.json'
const LOCK = 'lock'
const SCRATCH = 'scratch'
const VERSION = 1
const SIGN_OF_LIFE_MS = 5000
const DEAD_AFTER_MS = 30_000

/** The folder cannot be used; the message says why and what to do. */
export class DataDirError extends Error {
  override name = 'DataDirError'
}

interface Holder {
  host: string
  pid: number
  /** What the system says about when the process began; empty where it does not say. */
  began: string
}

export interface DataDir {
  vectorsDir: string
  blobsDir: string
  /** Apart from the embedded store's, as neither store knows what the other refers to. */
  qdrantBlobsDir: string
  journalDir: string
  uploadsDir: string
  jobsDir: string
  queueDir: string
  /** Lets the next process in. */
  release(): Promise<void>
}

/** @throws DataDirError if the folder is foreign, of another version, in use, or cannot be written */
export async function openDataDir(dir: string): Promise<DataDir> {
  await prepareDataDir(dir)
  const path = join(dir, LOCK)
  await acquire(dir, path)
  const scratch = await openScratch(join(dir, SCRATCH)).catch(async (error: NodeJS.ErrnoException) => {
    await rm(path, { force: true })
    throw unusable(dir, error)
  })
  const pulse = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), SIGN_OF_LIFE_MS).unref()
  return {
    ...dataLayout(dir),
    release: async () => {
      clearInterval(pulse)
      await scratch.close()
      await rm(path, { force: true })
    },
  }
}

export interface DataDirState {
  /** Whether there is data of ours; a folder that is not there, or empty, will be made ours. */
  isOurs: boolean
  /** The process that uses it. */
  heldBy: number | undefined
}

/** Looks, and changes nothing. @throws DataDirError if the folder is foreign or of another version */
export async function inspectDataDir(dir: string): Promise<DataDirState> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new DataDirError(`The data folder ${dir} cannot be read: ${error.message}.`)
  })
  const isOurs = await hasData(dir, names)
  const lock = await readFile(join(dir, LOCK), 'utf8').catch(() => undefined)
  const holder = lock === undefined ? undefined : holderOf(lock)
  const isHeld = holder !== undefined && (holder.host !== hostname() || (await isAlive(holder)))
  return { isOurs, heldBy: isHeld ? holder.pid : undefined }
}

/** Where things lie, for who takes no lock: writing there is for the holder alone. */
export function dataLayout(dir: string): Omit<DataDir, 'release'> {
  return {
    vectorsDir: join(dir, 'vectors'),
    blobsDir: join(dir, 'blobs'),
    qdrantBlobsDir: join(dir, 'qdrant-blobs'),
    journalDir: join(dir, 'journal'),
    uploadsDir: join(dir, 'uploads'),
    jobsDir: join(dir, 'jobs'),
    queueDir: join(dir, 'queue'),
  }
}

/** Makes the folder ours if it is new; leaves who may use it to the lock. @throws DataDirError as `openDataDir`, but for `in use` */
export async function prepareDataDir(dir: string): Promise<void> {
  await prepare(dir).catch((error: NodeJS.ErrnoException) => {
    throw error instanceof DataDirError ? error : unusable(dir, error)
  })
}

function unusable(dir: string, { message }: Error): DataDirError {
  return new DataDirError(`The data folder ${dir} cannot be used: ${message}. Choose another with --data.`)
}

async function prepare(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true })
  if (!(await hasData(dir, await readdir(dir)))) {
    await replaceDurably(join(dir, MARKER), `${JSON.stringify({ format: 'onepeace-data', version: VERSION })}\n`)
  }
}

/** @param names what is in the folder. @throws DataDirError */
async function hasData(dir: string, names: readonly string[]): Promise<boolean> {
  const marker = await readFile(join(dir, MARKER), 'utf8').catch(() => undefined)
  if (marker === undefined) {
    const others = names.filter((name) => name !== LOCK && !name.startsWith(`${MARKER}.`))
    if (others.length === 0) return false
    throw new DataDirError(`${dir} holds other files and no onepeace data; choose an empty folder with --data.`)
  }
  const version = versionOf(marker)
  if (version === VERSION) return true
  throw new DataDirError(`${dir} has data of version ${version}; this program reads version ${VERSION}.`)
}

function versionOf(marker: string): unknown {
  try {
    return (JSON.parse(marker) as { version?: unknown }).version
  } catch {
    return 'unknown'
  }
}

/** A lock appears whole, by link; of several who find the same dead one, whoever moves it away first goes on. */
async function acquire(dir: string, path: string): Promise<void> {
  const mine = join(dir, `${LOCK}.${randomUUID()}`)
  await writeFile(mine, JSON.stringify(await selfAsHolder()))
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (await linked(mine, path)) return
      await assertDead(dir, path)
      await rename(path, `${mine}.dead`).catch(() => {})
      await rm(`${mine}.dead`, { force: true })
    }
    throw new DataDirError(`${dir} is being taken by another process; try again.`)
  } finally {
    await rm(mine, { force: true })
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function assertDead(dir: string, path: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return
  const holder = holderOf(text)
  if (holder.host === hostname()) {
    if (!(await isAlive(holder))) return
    throw new DataDirError(`${dir} is in use by process ${holder.pid}; stop it, or choose another folder with --data.`)
  }
  const silentMs = Date.now() - (await stat(path)).mtimeMs
  if (silentMs > DEAD_AFTER_MS) return
  throw new DataDirError(
    `${dir} is in use by process ${holder.pid} on ${holder.host}; if that is gone, try again in half a minute.`,
  )
}

/** A lock cut off by a crash of the machine tells nothing but its time, like one of a host we cannot ask. */
function holderOf(text: string): Holder {
  try {
    return JSON.parse(text) as Holder
  } catch {
    return { host: 'an unknown host', pid: 0, began: '' }
  }
}

async function isAlive({ pid, began }: Holder): Promise<boolean> {
  if (pid === process.pid) return began === (await beganOf(pid))
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const begins = await beganOf(pid)
  return began === '' || begins === '' || began === begins
}

async function selfAsHolder(): Promise<Holder> {
  return { host: hostname(), pid: process.pid, began: await beganOf(process.pid) }
}

/** On Linux, the clock ticks from boot to the start of the process (proc(5), field 22 of stat), with the boot's id. */
async function beganOf(pid: number): Promise<string> {
  try {
    const stats = await readFile(`/proc/${pid}/stat`, 'utf8')
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    return `${boot.trim()}/${stats.slice(stats.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return ''
  }
}
