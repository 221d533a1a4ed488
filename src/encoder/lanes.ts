/**
 * Lanes: which kinds of work share session workers, so that short work never waits for long work.
 *
 *   words  texts: a query takes milliseconds, and somebody waits for it
 *   media  pictures, sounds, heads: up to seconds each; their threads stand back for the others of the process
 *
 * No graph is opened in two lanes, so lanes cost no memory but that of a thread.
 */
import type { BundleManifest } from '../bundle/manifest.ts'
import { MEDIA_NICE, usableCores } from '../processor.ts'
import type { Kind } from './encoder.ts'

export interface Lane {
  name: 'words' | 'media'
  kinds: readonly Kind[]
  /** Session workers, each with the lane's graphs open. */
  workers: number
  /** Threads of one inference. */
  threads: number
  /** How far its threads stand back, 0 to 19. */
  nice: number
  /** Batches that a worker is given at once: with 2 the next is at hand when one is done. */
  depth: number
}

export interface LaneOptions {
  /** Session workers for pictures and sounds; by default one for every `threads` cores, or `MAX_THREADS`. */
  workers?: number | undefined
  /** Threads of one inference; by default the cores divided among the workers. */
  threads?: number | undefined
}

/**
 * Bundles up to this have layers so small that a second thread costs a text more in waiting than it saves: one of 8 tokens takes
 * 1.7 ms by one thread and 2.1 ms by two, and meets fewer delays when the cores are busy.
 */
const TINY_BYTES = 64 * 1024 * 1024
/** Beyond these a matrix product of our sizes gains little: more cores are worth more as another worker. */
const MAX_THREADS = 8
/**
 * Bundles up to this are done with a batch so soon that waiting for a busy main thread to give the next one would cost some percent; a
 * larger one's next batch is put together as late as can be.
 */
const SMALL_BYTES = 512 * 1024 * 1024

/** Whether a second copy of the weights, and a batch ahead, cost little. */
export function isSmall(manifest: BundleManifest): boolean {
  return sizeOf(manifest) <= SMALL_BYTES
}

function sizeOf({ files }: BundleManifest): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** The lanes of a bundle on a machine of so many cores; none without kinds. */
export function lanesOf(manifest: BundleManifest, options: LaneOptions = {}, cores = usableCores()): Lane[] {
  const workers = options.workers ?? Math.ceil(cores / (options.threads ?? MAX_THREADS))
  const threads = options.threads ?? Math.max(1, Math.floor(cores / workers))
  const media: Kind[] = manifest.modalities.filter((modality) => modality !== 'text')
  if (manifest.heads?.length) media.push('head')
  const words: Kind[] = manifest.modalities.includes('text') ? ['text'] : []
  const wordThreads = options.threads ?? (sizeOf(manifest) <= TINY_BYTES ? 1 : threads)
  const depth = isSmall(manifest) ? 2 : 1
  const lanes: Lane[] = [
    { name: 'words', kinds: words, workers: 1, threads: wordThreads, nice: 0, depth },
    { name: 'media', kinds: media, workers, threads, nice: MEDIA_NICE, depth },
  ]
  return lanes.filter(({ kinds }) => kinds.length > 0)
}

/** For the log: `words (text): 1 worker of 2 threads; media (image, audio, head): …`. */
export function describeLanes(lanes: readonly Lane[]): string {
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`
  const lines = lanes.map(
    ({ name, kinds, workers, threads }) =>
      `${name} (${kinds.join(', ')}): ${count(workers, 'worker')} of ${count(threads, 'thread')}`,
  )
  return lines.join('; ')
}
