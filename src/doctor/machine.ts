/** Node, processor, memory and disk. */
import { readFile, statfs } from 'node:fs/promises'
import { arch, availableParallelism, cpus } from 'node:os'
import { dirname, resolve } from 'node:path'
import { type Finding, fail, ok, warn } from './finding.ts'

/** package.json's `engines`. */
const LEAST_NODE = [20, 19] as const
/** Its last release was in April 2026. */
const LAST_UNSUPPORTED_NODE = 20

export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isEnough = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])
  if (!isEnough)
    return fail('Node', version, `onepeace needs Node ${LEAST_NODE.join('.')} or later; 22 or 24 are best.`)
  if (major > LAST_UNSUPPORTED_NODE) return ok('Node', version)
  return warn('Node', version, 'It works, but Node 20 gets no security fixes any more: change to 22 or 24.')
}

/** Sets of instructions that the model's runtime makes use of, by what /proc/cpuinfo calls them. */
const USEFUL = ['avx2', 'avx512f', 'avx512_vnni', 'avx_vnni', 'amx_int8', 'asimd', 'asimddp', 'i8mm']

/** @param cpuinfo the text of /proc/cpuinfo; undefined where there is none */
export function cpuFinding(cpuinfo: string | undefined): Finding {
  const model = cpus()[0]?.model.trim() || arch()
  const name = `${availableParallelism()} × ${model}`
  const flags = /^(?:flags|Features)\s*:(.*)$/m
    .exec(cpuinfo ?? '')?.[1]
    ?.trim()
    .split(/\s+/)
  if (flags === undefined) return ok('processor', name)
  const has = USEFUL.filter((flag) => flags.includes(flag))
  const found = `${name}: ${has.join(', ') || 'no vector instructions'}`
  if (has.includes('avx2') || has.includes('asimd')) return ok('processor', found)
  return warn('processor', found, 'Without AVX2 the model runs many times slower: choose a processor made after 2013.')
}

export async function readCpuinfo(): Promise<string | undefined> {
  return readFile('/proc/cpuinfo', 'utf8').catch(() => undefined)
}

/** The process, its media and the store, beside the model. */
const BASE_BYTES = 400e6
/** Of the weights: they are read whole, and some are laid out anew for the processor. */
const MODEL_SHARE = 1.5

/** @param available bytes. @param modelBytes of the bundle's files */
export function memoryFinding(available: number, modelBytes: number): Finding {
  const needed = BASE_BYTES + modelBytes * MODEL_SHARE
  const found = `${gigabytes(available)} free; some ${gigabytes(needed)} needed with this model`
  if (available >= needed) return ok('memory', found)
  return warn(
    'memory',
    found,
    'Close other programs, take a machine with more, or convert the model with --precision int8.',
  )
}

const LITTLE_DISK = 1e9
const NO_DISK = 100e6

/** Of the data folder, or the nearest folder above it that is there. */
export async function diskFinding(dir: string): Promise<Finding> {
  const free = await freeBytes(resolve(dir))
  const found = `${gigabytes(free)} free for ${dir}`
  if (free >= LITTLE_DISK) return ok('disk', found)
  const advice = 'Make room, or choose a folder on another disk with --data: without room, writes are refused.'
  return free < NO_DISK ? fail('disk', found, advice) : warn('disk', found, advice)
}

async function freeBytes(dir: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(dir)
    return bavail * bsize
  } catch (error) {
    if (dirname(dir) === dir) throw error
    return freeBytes(dirname(dir))
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`
